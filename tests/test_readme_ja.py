"""The Japanese README against the English one: the same headings, commands, links, names and numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

import launcher

ROOT = Path(launcher.__file__).resolve().parent.parent
ENGLISH, JAPANESE = "README.md", "README.ja.md"
NAMES_WIDTH = 34  # the column in which the listing of a run directory begins to explain

pytestmark = pytest.mark.skipif(not (ROOT / ENGLISH).is_file(), reason="needs a clone: the pages are not installed")


class Section(NamedTuple):
    """What is below one heading: the heading's level, the prose, and (language, lines) of each block."""

    level: int
    prose: str
    blocks: list[tuple[str, list[str]]]


def _sections(page: str) -> list[Section]:
    """The sections in their order; the line that leads to the other language is left out."""
    sections: list[Section] = []
    language: str | None = None
    for line in (ROOT / page).read_text("utf-8").splitlines():
        if line.startswith("```"):
            language = line[3:] if language is None else None
            if language is not None:
                sections[-1].blocks.append((language, []))
        elif language is not None:
            sections[-1].blocks[-1][1].append(line)
        elif heading := re.match(r"(#+) ", line):
            sections.append(Section(len(heading[1]), "", []))
        elif _other_language(line) is None:
            sections[-1] = sections[-1]._replace(prose=f"{sections[-1].prose}{line}\n")
    assert language is None, f"{page} ends inside a block"
    return sections


def _other_language(line: str) -> re.Match[str] | None:
    return re.fullmatch(r"\S+: \[(README(?:\.ja)?\.md)]\(\1\)", line)


def _pairs() -> list[tuple[Section, Section]]:
    return list(zip(_sections(ENGLISH), _sections(JAPANESE), strict=True))


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s+)# .*$", "", line)


def _unchanged(language: str, lines: list[str]) -> list[str]:
    """What is the same in both languages: all that kl prints, else the lines without comments and explanations."""
    if language == "console":
        return lines
    if language == "":
        return [line[:NAMES_WIDTH].rstrip() for line in lines]
    return [_without_comment(line) for line in lines]


def _inline_code(prose: str) -> set[str]:
    return {" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)}


def _link_targets(prose: str) -> list[str]:
    return sorted(re.findall(r"]\(([^)\s]+)\)", prose))


def _numbers(prose: str) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)*", prose))


def _marks(prose: str) -> list[str]:
    """The first character of each list item and table row, in their order."""
    return [line[0] for line in prose.splitlines() if line.startswith(("- ", "|"))]


def test_each_page_leads_to_the_other() -> None:
    for page, other in ((ENGLISH, JAPANESE), (JAPANESE, ENGLISH)):
        first = (ROOT / page).read_text("utf-8").splitlines()[:5]
        found = [match[1] for line in first if (match := _other_language(line))]
        assert found == [other]


def test_the_headings_have_the_same_levels() -> None:
    assert [section.level for section in _sections(JAPANESE)] == [section.level for section in _sections(ENGLISH)]


def test_the_blocks_hold_the_same_lines() -> None:
    for english, japanese in _pairs():
        assert [language for language, _ in japanese.blocks] == [language for language, _ in english.blocks]
        for (language, lines), (_, translated) in zip(english.blocks, japanese.blocks, strict=True):
            assert _unchanged(language, translated) == _unchanged(language, lines)


def test_what_is_compared_of_a_block() -> None:
    assert _unchanged("sh", ["kl ls   # all runs", "# alone", "a#b '# '"]) == ["kl ls", "", "a#b '# '"]
    assert _unchanged("console", ["--x=1  # kl"]) == ["--x=1  # kl"]
    assert _unchanged("", ["  run.json" + " " * 24 + "words"]) == ["  run.json"]


def test_the_comments_are_translated() -> None:
    for english, japanese in _pairs():
        for (language, lines), (_, translated) in zip(english.blocks, japanese.blocks, strict=True):
            for line, other in zip(lines, translated, strict=True):
                if language in {"sh", "toml"} and line != _without_comment(line):
                    assert _is_japanese(other), other


def test_the_set_up_commands_are_the_same_to_the_letter() -> None:
    english, japanese = (
        [line for section in _sections(page) for _, lines in section.blocks for line in lines if "-m venv" in line]
        for page in (ENGLISH, JAPANESE)
    )
    assert len(english) == 2
    assert japanese == english


def test_the_links_lead_to_the_same_places() -> None:
    for english, japanese in _pairs():
        assert _link_targets(japanese.prose) == _link_targets(english.prose)


def test_the_same_names_and_numbers_are_in_the_prose() -> None:
    for english, japanese in _pairs():
        assert _inline_code(japanese.prose) == _inline_code(english.prose)
        assert _numbers(english.prose) <= _numbers(japanese.prose)


def test_the_lists_and_tables_have_the_same_length() -> None:
    for english, japanese in _pairs():
        assert _marks(japanese.prose) == _marks(english.prose)


def test_the_paragraphs_are_translated() -> None:
    for section in _sections(JAPANESE):
        for paragraph in re.split(r"\n\n|\n(?=- )", section.prose.strip()):
            assert not paragraph or _is_japanese(paragraph), paragraph


def _is_japanese(text: str) -> bool:
    return re.search("[\u3040-\u30ff\u4e00-\u9fff]", text) is not None
