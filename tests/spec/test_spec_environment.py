"""Settings from environment variables and from the name."""

from __future__ import annotations

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting
from launcher.spec.environment import from_environment, from_name, is_debug
from launcher.spec.names import parse_name


def _setting(table: tuple[str, ...], key: str, value: str | int | bool, variable: str) -> Setting:
    return Setting(table, key, value, Origin(Source.ENVIRONMENT, variable))


def test_each_variable_is_a_setting_that_remembers_it() -> None:
    environ = {
        "SD_REPO": "/sd",
        "SD_SCRIPT": "sdxl_train_network.py",
        "TRAINING_DIR": "/data/fox",
        "OUTPUT_DIR": "~/out",
        "STEPS": "0400",
        "NO_CLEAN": "1",
        "HOME": "/home/me",
    }
    assert set(from_environment(environ)) == {
        _setting(("run",), "sd_scripts", "/sd", "SD_REPO"),
        _setting(("run",), "script", "sdxl_train_network.py", "SD_SCRIPT"),
        _setting(("run",), "dataset_folder", "/data/fox", "TRAINING_DIR"),
        _setting(("run",), "output_root", "~/out", "OUTPUT_DIR"),
        _setting((), "max_train_steps", 400, "STEPS"),
        _setting(("run",), "no_clean", True, "NO_CLEAN"),
    }


def test_an_empty_variable_is_not_set() -> None:
    names = ("SD_REPO", "SD_SCRIPT", "TRAINING_DIR", "OUTPUT_DIR", "STEPS", "NO_CLEAN", "DEBUG")
    assert from_environment(dict.fromkeys(names, "")) == ()
    assert from_environment({}) == ()


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("ON", True), ("True", True), ("0", False), ("Off", False)])
def test_yes_and_no(text: str, value: bool) -> None:
    assert from_environment({"NO_CLEAN": text})[0].value is value
    assert is_debug({"DEBUG": text}) is value


@pytest.mark.parametrize("environ", [{}, {"DEBUG": ""}, {"DEBUG": "no"}, {"DEBUG": "false"}])
def test_debug_is_off_unless_asked_for(environ: dict[str, str]) -> None:
    assert not is_debug(environ)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "1e3", "٣", "1_000", "9999999999"])
def test_steps_must_be_a_positive_whole_number(text: str) -> None:
    with pytest.raises(KlError) as caught:
        from_environment({"STEPS": text})
    assert caught.value.code is ExitCode.USAGE
    assert caught.value.where == "STEPS"
    assert f"STEPS={text!r} is not a number of steps" in caught.value.message
    assert caught.value.hint is not None and "STEPS=2400" in caught.value.hint


def test_neither_yes_nor_no_is_refused() -> None:
    for variable, call in (("DEBUG", is_debug), ("NO_CLEAN", from_environment)):
        with pytest.raises(KlError) as caught:
            call({variable: "maybe"})
        assert caught.value.code is ExitCode.USAGE
        assert "neither yes nor no" in caught.value.message
        assert caught.value.where == variable


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(KlError, match=r"OUTPUT_DIR=.* cannot be used"):
        from_environment({"OUTPUT_DIR": "/out\udcff"})


def test_the_name_gives_the_steps() -> None:
    expected = Setting((), "max_train_steps", 2400, Origin(Source.NAME, "the name fox-noob-v1s2400"))
    assert from_name(parse_name("fox-noob-v1s2400")) == (expected,)
    assert from_name(parse_name("fox-noob")) == ()
