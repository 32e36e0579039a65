"""A run's name taken apart, and every name that is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.base.errors import ExitCode, KlError
from launcher.spec.names import LONGEST, RunName, parse_name


@pytest.mark.parametrize(
    "name",
    [
        RunName("fox-noob-v1s2400", "fox-noob", "fox", "noob", 1, 2400),
        RunName("fox-v1s2400", "fox", "fox", None, 1, 2400),
        RunName("fox", "fox", "fox", None, None, None),
        RunName("fox-noob", "fox-noob", "fox", "noob", None, None),
        RunName("red-fox-noob-v12s5", "red-fox-noob", "red-fox", "noob", 12, 5),
        RunName("fox1.5-v0s1", "fox1.5", "fox1.5", None, 0, 1),
        RunName("fox-v1", "fox-v1", "fox", "v1", None, None),
        RunName("_Fox_2-x.y-v01s0400", "_Fox_2-x.y", "_Fox_2", "x.y", 1, 400),
        RunName("v1", "v1", "v1", None, None, None),
        RunName("solid-state", "solid-state", "solid", "state", None, None),
    ],
)
def test_a_name_says_dataset_variant_version_and_steps(name: RunName) -> None:
    assert parse_name(name.text) == name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("-fox", "begins with a dash"),
        (".fox", "begins with '.'"),
        ("..", "begins with '.'"),
        ("a..b", "has .."),
        ("a/b", "has a slash"),
        ("../fox", "begins with '.'"),
        ("a\\b", "has a backslash"),
        ("red fox", "has a space"),
        ("füchse", "has 'ü'"),
        ("fox\n", r"has '\n'"),
        ("fox\0", r"has '\x00'"),
        ("fo\udc80", r"has '\udc80'"),
        ("fox٣", "has '٣'"),
        ("fox.", "ends with a dot"),
        ("fox-", "empty part"),
        ("fox--noob", "empty part"),
        ("fox--v1s2", "empty part"),
        ("a" * (LONGEST + 1), "has 129 characters, 128 are allowed"),
        ("fox-v1s0", "trains 0 steps"),
        ("fox-v1s000", "trains 0 steps"),
        ("fox-V1s100", "version and steps where"),
        ("fox-v1S100", "version and steps where"),
        ("v1s100", "version and steps where"),
        ("fox-v1s100-noob", "version and steps where"),
        ("fox-v1s2-v1s2", "version and steps where"),
        ("fox-v1s1234567890", "version and steps where"),
        ("fox.toml", "looks like a file"),
        ("fox.safetensors", "looks like a file"),
        ("fox-step00001000", "looks like a file"),
        ("fox-step00001000-state", "looks like a file"),
    ],
)
def test_a_bad_name_is_refused_with_the_reason_and_what_to_do(text: str, why: str) -> None:
    with pytest.raises(KlError) as caught:
        parse_name(text)
    assert caught.value.code is ExitCode.USAGE
    assert why in caught.value.message
    assert caught.value.hint
    caught.value.message.encode()  # can be printed, whatever the name was


_PART = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_]{0,8}", fullmatch=True)


@given(_PART, st.none() | _PART, st.integers(0, 10**9 - 1), st.integers(1, 10**9 - 1))
def test_a_name_comes_back_as_it_was_put_together(dataset: str, variant: str | None, version: int, steps: int) -> None:
    stem = dataset if variant is None else f"{dataset}-{variant}"
    text = f"{stem}-v{version}s{steps}"
    try:
        name = parse_name(text)
    except KlError as error:
        assert "version and steps where" in error.message  # a part that itself reads v1s2
        return
    assert name == RunName(text, stem, dataset, variant, version, steps)


@given(st.text() | st.from_regex(r"\A[a-z0-9.-]{0,12}(-v[0-9]{0,3}s[0-9]{0,3})?\Z"))
def test_whatever_comes_is_a_name_or_a_message(text: str) -> None:
    try:
        name = parse_name(text)
    except KlError as error:
        assert error.code is ExitCode.USAGE
        error.message.encode()
    else:
        assert name.text == text
        assert name.stem == (name.dataset if name.variant is None else f"{name.dataset}-{name.variant}")
        assert "/" not in text
        assert ".." not in text


@pytest.mark.parametrize("ending", ["", "-reproduced", "-reproduced-2"])
def test_a_run_that_repeats_another_says_the_same(ending: str) -> None:
    name = parse_name(f"fox-noob-v1s2400{ending}")
    assert (name.dataset, name.variant, name.version, name.steps) == ("fox", "noob", 1, 2400)


def test_other_words_after_the_steps_are_refused() -> None:
    for text in ("fox-v1s2400-reproduced-x", "fox-v1s2400-again", "fox-v1s2400-reproduced-2-reproduced"):
        with pytest.raises(KlError, match="would not be read"):
            parse_name(text)
