"""Paths as people write them, and hub ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.spec.paths import expand, looks_like_hub_id

_ENVIRON = {"DATA": "/data", "SUB": "x/y", "EMPTY": "", "AT_HOME": "~/there"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("img", "/base/img"),
        ("./img/../other", "/base/other"),
        ("../up", "/up"),
        ("/abs/", "/abs"),
        ("~/models", "/home/me/models"),
        ("~", "/home/me"),
        ("$DATA/img", "/data/img"),
        ("${DATA}img", "/dataimg"),
        ("a/$SUB/b", "/base/a/x/y/b"),
        ("$AT_HOME/b", "/home/me/there/b"),
        ("a~b", "/base/a~b"),
        ("price$", "/base/price$"),
        ("./~x", "/base/~x"),
        ("", ""),
        ("weiß/写真", "/base/weiß/写真"),
    ],
)
def test_expand(text: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expand(text, Path("/base"), environ=_ENVIRON) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("$NOWHERE/img", "'NOWHERE' is not set, in '$NOWHERE/img'"),
        ("${NO WHERE}/img", "'NO WHERE' is not set"),
        ("$EMPTY/img", "'EMPTY' is empty"),
        ("${}/img", "'' is not set"),
        ("~nobody_of_that_name/x", "'nobody_of_that_name' is not known"),
    ],
)
def test_what_cannot_be_expanded_is_refused_and_never_a_path_from_the_root(text: str, why: str) -> None:
    origin = Origin(Source.SPEC, "fox.toml", Path("fox.toml"), 7)
    with pytest.raises(KlError) as caught:
        expand(text, Path("/base"), environ=_ENVIRON, origin=origin)
    assert caught.value.code is ExitCode.SPEC_REFUSED
    assert why in caught.value.message
    assert caught.value.where == "fox.toml:7"
    assert caught.value.hint


@pytest.mark.parametrize(
    "text", ["stabilityai/stable-diffusion-xl-base-1.0", "a/b", "runwayml/stable-diffusion-v1-5", "x_y/z.w"]
)
def test_hub_ids(text: str) -> None:
    assert looks_like_hub_id(text)


@pytest.mark.parametrize(
    "text",
    [
        *("model", "a/b/c", "./a", "../a", "/a/b", "~/a", "$A/b", "a/", "/a", "a b/c", "a/-b", "a/b..c", "a/b--c"),
        *("é/b", "models/base.safetensors", "models/base.CKPT", "img/list.txt", "a/" + "b" * 200, ""),
    ],
)
def test_not_hub_ids(text: str) -> None:
    assert not looks_like_hub_id(text)
