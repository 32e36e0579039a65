"""Counting CLIP's tokens with a made-up list of merges, and finding the real one's places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.data.clip_tokens import ClipTokenizer, load_clip_tokenizer, most_tokens
from launcher.data.prompt_weights import weighted
from launcher.data.tokenizer_files import find_clip_tokenizer

MERGES = ("f o", "fo x</w>", "a b", "ab c</w>", "' s</w>", "! !", "!! !</w>", "c a", "ca t</w>")
RANKS = {merge: rank for rank, merge in enumerate(MERGES)}
CLIP = ClipTokenizer(RANKS)
PLAIN = ClipTokenizer(RANKS, ftfy=False)


def merges_file(folder: Path, merges: tuple[str, ...] = MERGES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \t\n ", 0),
        ("fox", 1),
        ("FOX  fox\nfox", 3),
        ("foxes", 4),  # fo x e s</w>
        ("abc", 1),
        ("ab", 2),  # a b</w>: there is no merge at the end of a word
        ("fox's", 2),
        ("fox 'sx", 3),  # 's is split off, then x
        ("!!!", 1),
        ("fox,fox", 3),
        ("2024", 4),
        ("cat<|endoftext|>cat", 3),
        ("é", 2),
    ],
)
def test_tokens_are_counted_as_byte_pair_encoding_leaves_them(text: str, count: int) -> None:
    assert CLIP.count_tokens(text) == count


def test_the_merge_of_lowest_rank_comes_first() -> None:
    # c and a go together before a and b could: "a b" has the lower rank, and wins.
    assert CLIP.count_tokens("cab") == ClipTokenizer({"c a": 0}).count_tokens("cab") == 2
    assert CLIP.count_tokens("cat") == 1


@pytest.mark.parametrize(
    ("text", "ftfy", "plain"),
    [
        ("\u2018s", 1, 4),  # a curly quote becomes a straight one
        ("\uff46\uff4f\uff58", 1, 9),  # full width letters
        ("&amp;", 1, 5),
        ("\ufb01", 2, 3),  # the ligature fi
        ("\x07fox", 1, 1),
        ("\u5317\u4eac", 6, 6),
        ("a\u0301", 2, 2),  # one letter with its accent, as two bytes
    ],
)
def test_text_is_tidied_as_with_and_without_ftfy(text: str, ftfy: int, plain: int) -> None:
    assert CLIP.count_tokens(text) == ftfy
    assert PLAIN.count_tokens(text) == plain


@given(st.text(max_size=80))
def test_any_text_has_a_count_below_its_bound(text: str) -> None:
    for tokenizer in (CLIP, PLAIN):
        assert 0 <= tokenizer.count_tokens(text) <= most_tokens(text)


def test_a_long_word_is_no_trouble() -> None:
    assert CLIP.count_tokens("abc" * 30_000) == 60_000 - 1


def test_the_files_are_read(tmp_path: Path) -> None:
    found = load_clip_tokenizer(merges_file(tmp_path / "a"))
    assert found == CLIP
    (tmp_path / "b").mkdir()
    fast = {"model": {"merges": [merge.split(" ") for merge in MERGES]}}
    (tmp_path / "b" / "tokenizer.json").write_text(json.dumps(fast), encoding="utf-8")
    assert load_clip_tokenizer(tmp_path / "b") == CLIP


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"one line", b"#v\n\n\n\n", b"x" * 100])
def test_damaged_files_are_no_tokenizer(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "merges.txt").write_bytes(content)
    (tmp_path / "tokenizer.json").write_bytes(content)
    assert load_clip_tokenizer(tmp_path) is None


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_tokenizer_json_of_any_form_raises_nothing(value: object) -> None:
    import tempfile

    for written in (value, {"model": value}, {"model": {"merges": value}}):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "tokenizer.json").write_text(json.dumps(written), encoding="utf-8")
            load_clip_tokenizer(Path(folder))


def test_a_folder_is_no_file_of_merges(tmp_path: Path) -> None:
    (tmp_path / "merges.txt").mkdir()
    assert load_clip_tokenizer(tmp_path) is None


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"HF_HUB_CACHE": "{}/x"}, "x"),
        ({"HUGGINGFACE_HUB_CACHE": "{}/x"}, "x"),
        ({"HF_HOME": "{}/x"}, "x/hub"),
        ({"XDG_CACHE_HOME": "{}"}, "huggingface/hub"),
        ({"HOME": "{}"}, ".cache/huggingface/hub"),
        ({"HOME": "{}", "HF_HOME": "~/h"}, "h/hub"),
    ],
)
def test_the_hubs_cache(tmp_path: Path, environ: dict[str, str], place: str) -> None:
    environ = {name: value.format(tmp_path) for name, value in environ.items()}
    assert find_clip_tokenizer(environ) is None
    merges_file(tmp_path / place / "models--openai--clip-vit-large-patch14" / "snapshots" / "0123")
    assert find_clip_tokenizer(environ) == CLIP


def test_the_runs_own_places(tmp_path: Path) -> None:
    assert find_clip_tokenizer({}, cache_dir=tmp_path / "t", model=tmp_path / "m") is None
    merges_file(tmp_path / "m" / "tokenizer")
    assert find_clip_tokenizer({}, cache_dir=tmp_path / "t", model=tmp_path / "m") == CLIP
    merges_file(tmp_path / "t" / "openai_clip-vit-large-patch14", MERGES[:2])
    found = find_clip_tokenizer({}, cache_dir=tmp_path / "t", model=tmp_path / "m", ftfy=False)
    assert found is not None
    assert (len(found.ranks), found.ftfy) == (2, False)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a fox", ["a fox"]),
        ("a (fox:1.2) runs", ["a ", "fox", " runs"]),
        ("(a)(b)", ["ab"]),
        ("[a] b", ["a", " b"]),
        (r"a \(b\)", ["a (b)"]),
        ("(a", ["a"]),
        ("a:1.2) b", ["a:1.2) b"]),
        ("(a:b)", ["a:b"]),
        ("", []),
    ],
)
def test_weights_are_no_words(text: str, pieces: list[str]) -> None:
    assert list(weighted(text).pieces) == pieces


def test_a_weight_that_is_no_number() -> None:
    assert weighted("a (fox:1.2.3) b").bad_weight == "1.2.3"
    assert weighted("(hm:...)").bad_weight == "..."
    assert weighted("fox:1.2.3)").bad_weight is None  # no bracket is open


@given(st.text(alphabet="()[]:\\.1-+ab ", max_size=300))
def test_any_brackets_are_taken_apart(text: str) -> None:
    assert len("".join(weighted(text).pieces)) <= len(text)
