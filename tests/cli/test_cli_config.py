"""`kl config`, and what its names do at a launch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_bed import Bed, make_bed

NAME = "fox-v1s4"
SECRET = {"MY_TOKEN": "hunter2hunter2"}


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


def _file(bed: Bed) -> Path:
    return bed.home / ".config" / "kl" / "config.toml"


def _values(bed: Bed, **environ: str) -> dict[str, Any]:
    data = json.loads(bed.kl("config", "--json", **environ).out)
    assert set(data) == {"file", "exists", "values"}
    return {each["key"]: each for each in data["values"]}


def test_set_get_unset(bed: Bed) -> None:
    assert bed.kl("config", "path").out == f"{_file(bed)}\n"
    assert json.loads(bed.kl("config", "path", "--json").out) == {"file": str(_file(bed)), "exists": False}
    said = bed.kl("config", "set", "run.keep_last_saves", "3")
    assert (said.code, said.out) == (0, "run.keep_last_saves = 3, in ~/.config/kl/config.toml.\n")
    assert bed.kl("config", "set", "run.keep_last_saves", "3").out.startswith("run.keep_last_saves is 3 already")
    assert _file(bed).read_text() == "[run]\nkeep_last_saves = 3\n"
    assert bed.kl("config", "get", "run.keep_last_saves").out == "3\n"
    assert bed.kl("config", "get", "run.script").out == ""
    assert "taken out" in bed.kl("config", "unset", "run.keep_last_saves").out
    assert "does not stand" in bed.kl("config", "unset", "run.keep_last_saves").out


def test_all_values_with_their_places(bed: Bed) -> None:
    bed.kl("config", "set", "checkouts.sd3", "x/sd3")
    bed.kl("config", "set", "run.output_root", "~/runs")
    lines = bed.kl("config", OUTPUT_DIR="/over").out.splitlines()
    assert lines[0] == "~/.config/kl/config.toml"
    row = next(line.split() for line in lines if "run.output_root" in line)
    assert row == ["run.output_root", '"/over"', "OUTPUT_DIR,", "over", "~/.config/kl/config.toml:5"]
    found = _values(bed, OUTPUT_DIR="/over")
    assert found["run.output_root"]["over"][0]["value"] == "~/runs"
    assert found["datasets_root"]["origin"]["source"] == "default"
    assert found["run.script"] == {"key": "run.script", "value": None, "origin": None, "over": []}
    assert found["checkouts.sd3"]["value"] == str(bed.here / "x" / "sd3")
    one = json.loads(bed.kl("config", "get", "checkouts.sd3", "--json").out)
    assert one == found["checkouts.sd3"] and one["origin"]["line"] == 2
    part = bed.kl("config", "get", "checkouts").out.splitlines()
    assert len(part) == 2 and part[1].split()[0] == "checkouts.sd3"


def test_what_is_said_beside_it(bed: Bed) -> None:
    assert "is not there yet" in bed.kl("config", "set", "checkouts.sd3", "/nowhere").err
    assert "OUTPUT_DIR is set, and wins" in bed.kl("config", "set", "run.output_root", "~/runs", OUTPUT_DIR="/x").err
    bed.kl("config", "set", "env.path", str(bed.environment))
    said = bed.kl("config", "set", "env.name", "sdxl")
    assert said.code == 0 and "env.path was taken out" in said.err
    assert _values(bed)["env.path"]["value"] is None
    done = json.loads(bed.kl("config", "set", "spec_folders", "a", "~/b", "--json").out)
    assert (done["value"], done["changed"]) == ([str(bed.here / "a"), "~/b"], True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["gett", "x"], 64, "Did you mean get?"),
        (["get"], 64, "needs a key"),
        (["set", "run.notes"], 64, "needs a value"),
        (["unset", "run.notes", "x"], 64, "no value"),
        (["path", "run.notes"], 64, "takes no key"),
        (["get", "run.sd_script"], 64, "Did you mean run.sd_scripts?"),
        (["set", "sd_scripts", "x"], 64, "Did you mean run.sd_scripts?"),
        (["unset", "run.foo"], 64, "no key run.foo"),
        (["set", "run..notes", "x"], 64, "is no key"),
        (["set", "run.keep_last_saves", "x"], 65, "run.keep_last_saves"),
        (["set", "accelerate.api_key", "x"], 65, "secret"),
        (["set", "run.notes", "hunter2hunter2"], 65, "secret"),
    ],
)
def test_refused(bed: Bed, words: list[str], code: int, said: str) -> None:
    before = bed.tree()
    done = bed.kl("config", *words, **SECRET)
    assert (done.code, done.out) == (code, "") and said in done.err and "Traceback" not in done.err
    assert "hunter2" not in done.err and bed.tree() == before


def test_a_file_that_is_wrong(bed: Bed) -> None:
    _file(bed).parent.mkdir(parents=True)
    _file(bed).write_text("[run]\nnote = 'x'\ncheckouts = 'y'\n[other]\nz = 1\n")
    assert bed.kl("config").code == 65 and "config.toml:5" in bed.kl("config").err
    assert bed.kl("config", "path").code == 0
    assert bed.kl("config", "unset", "other.z").code == 0
    assert bed.kl("config").code == 0
    assert _file(bed).read_text() == "[run]\nnote = 'x'\ncheckouts = 'y'\n"


def _plan(bed: Bed, *words: str, **environ: str) -> dict[str, Any]:
    ended = bed.kl("plan", NAME, "--json", *words, **environ)
    assert ended.code == 0, ended.err
    plan: dict[str, Any] = json.loads(ended.out)
    return plan


def test_a_spec_names_checkout_and_environment(bed: Bed) -> None:
    checkout = bed.checkout.rename(bed.root / "sd3")
    bed.kl("config", "set", "checkouts.sd3-branch", str(checkout))
    bed.kl("config", "set", "checkouts.other", str(bed.root))
    bed.kl("config", "set", "environments.sdxl.path", str(bed.environment))
    names = ("--set", "run.sd_scripts=sd3-branch", "--set", "env.name=sdxl")
    plan = _plan(bed, *names, VIRTUAL_ENV="")
    assert plan["trainer"]["checkout"] == str(checkout)
    assert plan["environment"]["label"] == str(bed.environment) and plan["environment"]["chosen"] is None
    assert _plan(bed, *names, VIRTUAL_ENV="")["findings"] == []
    near = bed.kl("plan", NAME, "--set", "run.sd_scripts=sd3-brunch")
    assert near.code == 69 and "Did you mean sd3-branch? Configured are: other, sd3-branch." in near.err
    near = bed.kl("plan", NAME, *names[:2], "--set", "env.name=sdxxl", VIRTUAL_ENV="")
    assert near.code == 69 and "Did you mean sdxl? There are: sdxl (configured)." in near.err


def test_what_trains_is_said_when_nobody_named_it(bed: Bed) -> None:
    assert _plan(bed)["environment"]["chosen"] == "active"
    where = f"venv {bed.environment} (active)"
    assert where in bed.kl("plan", NAME).out
    launched = bed.kl("launch", NAME, SAY_IN=str(bed.root / "said"))
    assert f", in {where}" in launched.out + launched.err
    bed.kl("config", "set", "env.path", str(bed.environment))
    launched = bed.kl("launch", NAME, SAY_IN=str(bed.root / "said"))
    assert "(active)" not in launched.out + launched.err and f"venv {bed.environment}\n" in bed.kl("plan", NAME).out
