"""The configuration file is changed as in an editor: only what was asked for, never into something unreadable."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from launcher.base.errors import ExitCode, KlError
from launcher.base.settings import Value
from launcher.setup.config_file import Key, change_config, keys_of
from launcher.setup.user_config import read_user_config

WRITTEN = """# mine
datasets_root = '~/d'   # on the large disk

# what every run gets
[run] # weakest of all
  sd_scripts = "old"   # the checkout
  notes = '''
[env]
name = "not a table"
'''

# the environment
[env]
path = '~/v'

[environments.sdxl]
path = "~/sdxl" # by hand
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, not there yet."""
    monkeypatch.setattr("launcher.setup.user_config.config_folder", lambda: tmp_path / "kl")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "kl" / "config.toml"


def _values() -> dict[str, Value]:
    return {each.path: each.value for each in read_user_config().every}


def _refused(changes: dict[Key, Value], environ: dict[str, str] | None = None) -> KlError:
    with pytest.raises(KlError) as caught:
        change_config(changes, environ or {})
    return caught.value


def test_a_file_is_made(config: Path) -> None:
    changes: dict[Key, Value] = {
        ("checkouts", "sd-scripts"): "/sd",
        ("environments", "sd-scripts", "kind"): "venv",
        ("environments", "sd-scripts", "path"): "/venv",
        ("run", "sd_scripts"): "sd-scripts",
        ("env", "name"): "sd-scripts",
        ("datasets_root",): "~/d",
    }
    assert change_config(changes)
    assert _values() == {".".join(key): value for key, value in changes.items()}
    assert config.read_text() == (
        'datasets_root = "~/d"\n\n[checkouts]\nsd-scripts = "/sd"\n\n'
        '[environments.sd-scripts]\nkind = "venv"\npath = "/venv"\n\n'
        '[run]\nsd_scripts = "sd-scripts"\n\n[env]\nname = "sd-scripts"\n'
    )
    assert not change_config(changes)


def test_comments_and_order_stay(config: Path) -> None:
    config.parent.mkdir()
    config.write_text(WRITTEN)
    changes: dict[Key, Value] = {
        ("run", "sd_scripts"): "new",
        ("run", "keep_last_saves"): 3,
        ("env", "path"): None,
        ("env", "name"): "sdxl",
        ("environments", "sd15", "path"): "/sd15",
    }
    assert change_config(changes)
    text = config.read_text()
    expected = WRITTEN.replace('"old"', '"new"').replace("'''\n\n# the env", "'''\nkeep_last_saves = 3\n\n# the env")
    expected = expected.replace("path = '~/v'", 'name = "sdxl"') + '\n[environments.sd15]\npath = "/sd15"\n'
    assert text == expected


def test_what_is_taken_out_leaves_no_empty_table(config: Path) -> None:
    config.parent.mkdir()
    config.write_text(WRITTEN)
    assert change_config({("environments", "sdxl"): None, ("run", "notes"): None, ("env", "path"): None})
    text = config.read_text()
    assert "environments" not in text and "[env]" not in text and "[run] # weakest of all" in text
    assert not change_config({("environments", "sdxl"): None, ("accelerate", "cpu"): None})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (("run", "keep_last_saves"), "three", "run.keep_last_saves"),
        (("run", "sd_script"), "x", "run.sd_script"),
        (("dataset_root",), "x", "dataset_root"),
        (("env", "kind"), "docker", "env.kind"),
        (("env", "name"), "sdxl", "env.path"),
        (("checkouts", "a/b"), "x", "a/b"),
        (("checkouts", "~"), "x", "~"),
        (("checkouts", "sd3"), 3, "checkouts.sd3"),
        (("environments", "x", "kind"), "venv", "neither a path nor a name"),
        (("environments", "x", "folder"), "y", "folder"),
        (("environments", "x"), "y", "environments.x"),
        (("network_args", "algo"), "lora", "network_args"),
    ],
)
def test_what_the_reader_would_refuse_is_not_written(config: Path, key: Key, value: Value, said: str) -> None:
    config.parent.mkdir()
    config.write_text(WRITTEN)
    error = _refused({key: value})
    assert error.code is ExitCode.SPEC_REFUSED and said in error.message and error.where == ".".join(key)
    assert config.read_text() == WRITTEN


def test_all_or_none(config: Path) -> None:
    _refused({("run", "notes"): "fine", ("run", "keep_last_saves"): -1})
    assert not config.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (("run", "wandb_api_key"), "x"),
        (("env", "variables", "HF_TOKEN"), "x"),
        (("run", "notes"), "it is hunter2hunter2"),
        (("checkouts", "x"), "https://me:pass@host/x"),
    ],
)
def test_secrets_are_not_written(config: Path, key: Key, value: Value) -> None:
    error = _refused({key: value}, {"MY_TOKEN": "hunter2hunter2"})
    assert "secret" in error.message and str(value) not in f"{error.message} {error.hint} {error.where}"
    assert not config.exists()


def test_a_file_that_is_wrong_can_be_put_right(config: Path) -> None:
    config.parent.mkdir()
    config.write_text("[run]\nkeep_last_saves = 'x'\nsd_script = 'y' # misspelt\n")
    assert _refused({("run", "keep_last_saves"): 3}).where == "kl/config.toml:3"
    assert change_config({("run", "sd_script"): None})
    assert _refused({("run", "notes"): "n"}).where == "kl/config.toml:2"
    assert change_config({("run", "keep_last_saves"): 3})
    assert _values() == {"run.keep_last_saves": 3}


def test_a_file_that_is_no_toml_is_left_alone(config: Path) -> None:
    config.parent.mkdir()
    config.write_text("[run\n")
    assert _refused({("run", "notes"): "n"}).where == "kl/config.toml:1"
    assert config.read_text() == "[run\n"


def test_a_link_stays_one_and_rights_stay(config: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("")
    real.chmod(0o600)
    config.parent.mkdir()
    config.symlink_to(real)
    assert change_config({("run", "notes"): "n"})
    assert config.is_symlink() and real.read_text() == '[run]\nnotes = "n"\n'
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_line_ends_and_byte_order_mark_stay(config: Path) -> None:
    config.parent.mkdir()
    config.write_bytes(b"\xef\xbb\xbf[run]\r\nnotes = 'n' # c\r\n")
    assert change_config({("run", "no_clean"): True})
    assert config.read_bytes() == b"\xef\xbb\xbf[run]\r\nnotes = 'n' # c\r\nno_clean = true\r\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_folder_that_cannot_be_written(config: Path) -> None:
    config.parent.mkdir(mode=0o500)
    assert _refused({("run", "notes"): "n"}).code is ExitCode.OUTPUT_UNAVAILABLE


def test_a_file_in_the_way(config: Path) -> None:
    config.parent.write_text("")
    error = _refused({("run", "notes"): "n"})
    assert error.code is ExitCode.OUTPUT_UNAVAILABLE and "cannot be written" in error.message


@pytest.mark.parametrize(
    "text", ["run = {notes = 'n'}\n", "run.notes = 'n'\n", "env.variables.A = '1'\nrun.notes = 'n'\n"]
)
def test_other_ways_to_write_a_table(config: Path, text: str) -> None:
    config.parent.mkdir()
    config.write_text(text)
    assert change_config({("run", "no_clean"): True, ("checkouts", "a"): "/a"})
    found = _values()
    assert (found["run.notes"], found["run.no_clean"], found["checkouts.a"]) == ("n", True, "/a")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("run.sd_scripts", ("run", "sd_scripts")),
        ("datasets_root", ("datasets_root",)),
        ("checkouts.sd-v0.10.1", ("checkouts", "sd-v0.10.1")),
        ("environments.v0.10.path", ("environments", "v0.10", "path")),
        ("environments.sdxl", ("environments", "sdxl")),
        ("env.variables.A", ("env", "variables", "A")),
    ],
)
def test_keys_as_they_are_typed(text: str, key: Key) -> None:
    assert keys_of(text) == key


@pytest.mark.parametrize("text", ["", ".", "run.", ".run", "run..x"])
def test_no_keys(text: str) -> None:
    with pytest.raises(KlError) as caught:
        keys_of(text)
    assert caught.value.code is ExitCode.USAGE


_KEYS: list[tuple[Key, list[Value]]] = [
    (("datasets_root",), ["~/a", "b"]),
    (("spec_folders",), [["a", "b"], "c"]),
    (("run", "notes"), ["", "x # y", 'a "quoted" one', "two\nlines", "[env]", "é\u2028"]),
    (("run", "no_clean"), [True, False]),
    (("run", "keep_last_saves"), [1, 2]),
    (("checkouts", "a"), ["/a"]),
    (("checkouts", "v0.10"), ["/b"]),
    (("env", "variables", "A"), ["1"]),
    (("environments", "e", "path"), ["/e", "/f"]),
    (("accelerate", "num_processes"), [1, 2]),
]
_CHANGES = some.lists(
    some.sampled_from(_KEYS).flatmap(
        lambda pair: some.tuples(some.just(pair[0]), some.one_of(some.none(), some.sampled_from(pair[1])))
    ),
    max_size=6,
).map(dict)
_TEXTS = some.sampled_from([
    "", "# only this\n", WRITTEN, WRITTEN.rstrip("\n"), "[run]\n\n\n[env]\n# c\n[accelerate]\n",
    "checkouts.a = 'x' # c\n",
    "[environments]\n[environments.e]\npath = 'x'\n[checkouts] # c\na = 'y'\n[environments.f]\npath = 'z'\n",
    "[env.variables]\nB = '2'\n[run]\nnotes = 'n'\n[env]\npath = 'v'\n",
])  # fmt: skip


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=_TEXTS, first=_CHANGES, second=_CHANGES)
def test_whatever_is_changed(config: Path, text: str, first: dict[Key, Value], second: dict[Key, Value]) -> None:
    config.parent.mkdir(exist_ok=True)
    config.write_text(text)
    for changes in (first, second):
        before, expected = config.read_text(), _values()
        for key, value in changes.items():
            expected = {path: each for path, each in expected.items() if path != ".".join(key)}
            if value is not None:
                expected[".".join(key)] = value
        try:
            change_config(changes, {})
        except KlError as error:
            assert config.read_text() == before and "written in a way" not in error.message
        else:
            assert _values() == expected
            kept = [line for line in before.splitlines() if line.startswith("#")]
            assert [line for line in config.read_text().splitlines() if line in kept] == kept
