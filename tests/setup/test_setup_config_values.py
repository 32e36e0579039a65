"""The configuration as values, and what somebody means who types one."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.settings import Value
from launcher.plan.tables import EnvTable, RunTable
from launcher.setup.config_file import Key
from launcher.setup.config_values import (
    ConfigValue,
    check_key,
    config_values,
    missing_path,
    replaced_by,
    typed_value,
)
from launcher.setup.user_config import KEYS, read_user_config


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("launcher.setup.user_config.config_folder", lambda: tmp_path / "kl")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kl").mkdir()
    return tmp_path / "kl" / "config.toml"


def _found(environ: dict[str, str] | None = None) -> dict[str, ConfigValue]:
    values = config_values(read_user_config(), environ or {}, output_root="~/output_dir")
    assert len({each.key for each in values}) == len(values)
    return {each.key: each for each in values}


def test_every_key_is_there_without_a_file() -> None:
    found = _found()
    own = [f"env.{key}" for key in EnvTable.__struct_fields__ if key != "variables"]
    assert set(found) == {*KEYS, *(f"run.{key}" for key in RunTable.__struct_fields__), *own}
    assert (found["run.output_root"].value, str(found["run.output_root"].origin)) == ("~/output_dir", "default")
    assert (found["run.no_clean"].value, str(found["run.no_clean"].origin)) == (False, "default")
    assert (found["run.script"].value, found["run.script"].origin) == (None, None)
    assert found["run.sd_scripts"].value is None


def test_where_each_comes_from(tmp_path: Path, config: Path) -> None:
    config.write_text('[checkouts]\nsd3 = "/sd3"\n[run]\nsd_scripts = "sd3"\n[env.variables]\nA = "1"\n')
    found = _found({"SD_REPO": "/other", "STEPS": "5", "NO_CLEAN": "1"})
    checkout = found["run.sd_scripts"]
    assert (checkout.value, str(checkout.origin)) == ("/other", "SD_REPO")
    assert [(each.value, str(each.origin)) for each in checkout.over] == [("sd3", "kl/config.toml:4")]
    assert (found["run.no_clean"].value, str(found["run.no_clean"].origin)) == (True, "NO_CLEAN")
    assert str(found["checkouts.sd3"].origin) == "kl/config.toml:2" and found["env.variables.A"].value == "1"
    assert "max_train_steps" not in found


def test_the_checkout_of_whoever_names_none(tmp_path: Path, config: Path) -> None:
    (tmp_path / "sd-scripts").mkdir()
    assert _found()["run.sd_scripts"].value == str(tmp_path / "sd-scripts")
    config.write_text('[checkouts]\nsd3 = "/sd3"\n')
    assert (_found()["run.sd_scripts"].value, str(_found()["run.sd_scripts"].origin)) == ("/sd3", "default")


def test_a_secret_that_somebody_wrote_by_hand_is_not_told(config: Path) -> None:
    config.write_text('[accelerate]\naws_secret_access_key = "abc"\n[env.variables]\nHF_TOKEN = "def"\n')
    for key in ("accelerate.aws_secret_access_key", "env.variables.HF_TOKEN"):
        assert _found()[key].hidden and _found()[key].value is None


@pytest.mark.parametrize(
    "key",
    [("datasets_root",), ("run", "script"), ("env", "path"), ("env", "variables", "A"), ("accelerate", "num_processes"),
     ("checkouts", "v0.10"), ("environments", "sdxl", "kind")],
)  # fmt: skip
def test_keys(key: Key) -> None:
    check_key(key)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        (("dataset_root",), "Did you mean datasets_root?"),
        (("run", "sd_script"), "Did you mean run.sd_scripts?"),
        (("sd_scripts",), "Did you mean run.sd_scripts?"),
        (("script",), "Did you mean run.script?"),
        (("env", "nam"), "Did you mean env.name?"),
        (("environments", "sdxl", "pth"), "Did you mean environments.sdxl.path?"),
        (("environments", "sdxl"), "environments.NAME"),
        (("checkouts",), "checkouts.NAME"),
        (("checkouts", "a/b"), "checkouts.NAME"),
        (("run",), "run"),
        (("network_args", "algo"), "There are"),
    ],
)
def test_no_keys(key: Key, hint: str) -> None:
    with pytest.raises(KlError) as caught:
        check_key(key)
    assert caught.value.code is ExitCode.USAGE and hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("key", "words", "value"),
    [
        (("run", "keep_last_saves"), ["3"], 3),
        (("run", "no_clean"), ["true"], True),
        (("run", "notes"), ["3"], "3"),
        (("run", "notes"), ['"3 # x"'], "3 # x"),
        (("env", "name"), ["2024"], "2024"),
        (("env", "variables", "A"), ["1"], "1"),
        (("accelerate", "num_processes"), ["2"], 2),
        (("accelerate", "config_file"), ["a.yaml"], "HERE/a.yaml"),
        (("run", "drop"), ["seed"], ["seed"]),
        (("spec_folders",), ["~/a", "b"], ["~/a", "HERE/b"]),
        (("spec_folders",), ['["a", "$B/c"]'], ["HERE/a", "$B/c"]),
        (("checkouts", "x"), ["sd"], "HERE/sd"),
        (("environments", "x", "path"), ["../v"], "UP/v"),
        (("environments", "x", "name"), ["v"], "v"),
        (("run", "sd_scripts"), ["sd3"], "sd3"),
        (("run", "sd_scripts"), ["other"], "HERE/other"),
        (("run", "sd_scripts"), ["./sd3"], "HERE/sd3"),
    ],
)
def test_what_is_typed(tmp_path: Path, config: Path, key: Key, words: list[str], value: Value) -> None:
    config.write_text('[checkouts]\nsd3 = "/sd3"\n')

    def whole(text: Value) -> Value:
        if isinstance(text, list):
            return [whole(each) for each in text]
        up = str(tmp_path.parent)
        return text.replace("HERE", str(tmp_path)).replace("UP", up) if isinstance(text, str) else text

    assert typed_value(key, words, read_user_config()) == whole(value)


@pytest.mark.parametrize(("key", "words"), [(("run", "notes"), ["a", "b"]), (("run", "notes"), ["{a = 1}"])])
def test_what_cannot_be_typed(key: Key, words: list[str]) -> None:
    with pytest.raises(KlError) as caught:
        typed_value(key, words, read_user_config())
    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("text", "key", "gone"),
    [
        ("[env]\npath = 'p'\nkind = 'venv'", ("env", "name"), [("env", "path"), ("env", "kind")]),
        ("[env]\npath = 'p'\nkind = 'conda'", ("env", "name"), [("env", "path")]),
        ("[env]\nkind = 'venv'", ("env", "path"), []),
        ("[env]\nkind = 'conda'\nname = 'x'", ("env", "path"), [("env", "name"), ("env", "kind")]),
        ("[env]\nkind = 'conda'", ("env", "path"), []),
        ("[environments.a]\nname = 'x'", ("environments", "a", "path"), [("environments", "a", "name")]),
        ("[environments.a]\nname = 'x'", ("environments", "b", "path"), []),
        ("[run]\nnotes = 'n'", ("run", "notes"), []),
    ],
)
def test_of_a_name_and_a_path_one_stays(config: Path, text: str, key: Key, gone: list[Key]) -> None:
    config.write_text(text)
    assert list(replaced_by(key, read_user_config())) == gone


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    gone, there = str(tmp_path / "gone"), str(tmp_path / "kl")
    assert missing_path(("checkouts", "x"), gone) == gone and missing_path(("checkouts", "x"), there) is None
    assert missing_path(("spec_folders",), [there, "~/gone"]) == "~/gone"
    assert missing_path(("run", "output_root"), gone) is None  # kl makes it
    assert missing_path(("checkouts", "x"), "$SCRATCH/x") is None and missing_path(("run", "notes"), gone) is None
