"""What may be wished, and what is remembered of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.setup.made import Made
from launcher.setup.wishes import RELEASE, Wishes, checked, is_official, remembered, source_folder
from launcher.trainer.checkout import SD_SCRIPTS


@pytest.mark.parametrize(
    "wishes",
    [
        Wishes(),
        Wishes(name="sd3", cuda="cu126", torch="2.7.1", python="3.11", kind="conda", revision="sd3"),
        Wishes(cuda="rocm6.2.4", extras=("prodigyopt==1.1.2", "bitsandbytes>=0.45,<1", "dadaptation")),
        Wishes(update=True, revision="v0.9.1"),
    ],
)
def test_what_can_be(wishes: Wishes) -> None:
    assert checked(wishes) is wishes


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        (Wishes(name="../x"), "--name"),
        (Wishes(name=""), "--name"),
        (Wishes(cuda="12.4"), "--cuda"),
        (Wishes(torch="newest"), "--torch"),
        (Wishes(extras=("--index-url",)), "--with"),
        (Wishes(extras=("x; rm",)), "--with"),
        (Wishes(source="--upload-pack=x"), "--sd-scripts"),
        (Wishes(revision="-x"), "--rev"),
        (Wishes(kind="docker"), "--env docker"),
        (Wishes(update=True, back=True), "--update and --back"),
        (Wishes(back=True, revision="v0.9.1"), "--back"),
    ],
)
def test_what_cannot_be(wishes: Wishes, said: str) -> None:
    with pytest.raises(KlError) as caught:
        checked(wishes)
    assert caught.value.code is ExitCode.USAGE and said in caught.value.message and caught.value.hint


def test_a_version_of_cuda_is_told_as_torch_names_it() -> None:
    with pytest.raises(KlError) as caught:
        checked(Wishes(cuda="12.4"))
    assert caught.value.message == "--cuda cannot be '12.4'." and str(caught.value.hint).endswith("names it: cu124.")


def test_what_was_wished_before_holds_where_nothing_is_said() -> None:
    checkout = Made(kind="checkout", name="x", source="/somewhere")
    made = Made(kind="venv", name="x", wished_torch="2.7.1", wished_cuda="cpu", extras=["prodigyopt"])
    found = remembered(Wishes(cuda="cu126", extras=("dadaptation",)), checkout, made)
    assert (found.source, found.torch, found.cuda) == ("/somewhere", "2.7.1", "cu126")
    assert found.extras == ("prodigyopt", "dadaptation")
    assert remembered(found, checkout, made) == found
    assert remembered(Wishes(), None, None) == Wishes()


def test_folders_and_urls() -> None:
    assert source_folder(Wishes(source="~/x")) == Path.home() / "x"
    assert source_folder(Wishes(source="clone")) == Path.cwd() / "clone"
    for url in ("https://packages.invalid/x.git", "git@packages.invalid:x/y.git", None):
        assert source_folder(Wishes(source=url)) is None
    assert is_official(Wishes()) and is_official(Wishes(source=f"{SD_SCRIPTS}.git"))
    assert not is_official(Wishes(source="/somewhere"))
    assert RELEASE.startswith("v")
