from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.places import shipped_folder
from launcher.spec.templates import Template, find_templates, purpose_of, template_named


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_templates_are_found_by_name_with_their_first_line(tmp_path: Path) -> None:
    _write(tmp_path / "b.toml", "# Second: for foxes.\nseed = 1\n")
    _write(tmp_path / "a.yaml", "# First.\nseed: 1\n")
    _write(tmp_path / "notes.txt", "# no template\n")
    _write(tmp_path / ".hidden.toml", "# hidden\n")
    assert find_templates([tmp_path, tmp_path / "gone"]) == (
        Template("a", tmp_path / "a.yaml", "First."),
        Template("b", tmp_path / "b.toml", "Second: for foxes."),
    )


def test_of_two_with_one_name_the_earlier_folder_counts(tmp_path: Path) -> None:
    mine, shipped = _write(tmp_path / "mine/a.toml", "# Mine.\n"), _write(tmp_path / "shipped/a.toml", "# Shipped.\n")
    assert find_templates([mine.parent, shipped.parent, mine.parent]) == (Template("a", mine, "Mine.", (shipped,)),)


@pytest.mark.parametrize(
    ("text", "purpose"),
    [
        ("", ""),
        ("seed = 1\n# later\n", ""),
        ("\n\n## Purpose.\n", "Purpose."),
        ("#:schema ./kl.schema.json\n# Purpose.\n", "Purpose."),
        ("# yaml-language-server: $schema=x\n# Purpose.\n", "Purpose."),
        ("#\n# Purpose.\n", ""),
    ],
)
def test_the_purpose_is_the_first_comment_that_is_not_for_editors(tmp_path: Path, text: str, purpose: str) -> None:
    assert purpose_of(_write(tmp_path / "a.toml", text)) == purpose


def test_what_cannot_be_read_has_no_purpose(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "binary.toml").write_bytes(b"# a\xff\0")
    assert [each.purpose for each in find_templates([tmp_path])] == ["", ""]


def test_a_name_that_is_none_is_refused_with_the_nearest() -> None:
    templates = find_templates([shipped_folder("templates")])
    assert template_named("sdxl-lora", templates).path.name == "sdxl-lora.toml"
    with pytest.raises(KlError) as caught:
        template_named("sdxl-lor", templates)
    assert caught.value.code is ExitCode.USAGE
    assert (caught.value.hint or "").startswith("Did you mean sdxl-lora? There are: anima-lora,")
    with pytest.raises(KlError, match="There is no template 'x'"):
        template_named("x", ())


def test_the_templates_of_the_issue_ship() -> None:
    names = {each.name for each in find_templates([shipped_folder("templates")])}
    assert names >= {
        "sd15-lora", "sd15-locon", "sdxl-lora", "sdxl-locon", "sdxl-lokr", "pony-locon", "pony-locon-guide",
        "illustrious-lora", "noob-locon", "flux-lora", "sd3-lora", "lumina-lora", "anima-lora", "sdxl-finetune",
        "textual-inversion",
    }  # fmt: skip
