"""A conda environment at a launch: what its activation does reaches the trainer, and its secrets nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cli_bed import SPEC, Bed, make_bed

NAME = "fox-v1s4"
TOKEN = "hf_abcdefghij0123456789"
SCRIPTS = {
    "a.sh": f'export FROM_SCRIPT="$CONDA_PREFIX:$OUTSIDE" HF_TOKEN={TOKEN}\nunset NOISE\n',
    "b.sh": "not-a-program-at-all\n",
}


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    bed = make_bed(tmp_path)
    (bed.environment / "conda-meta").mkdir()
    (bed.environment / "conda-meta" / "state").write_text(json.dumps({"env_vars": {"FROM_STATE": "1", "HF_HOME": "x"}}))
    scripts = bed.environment / "etc" / "conda" / "activate.d"
    scripts.mkdir(parents=True)
    for name, text in SCRIPTS.items():
        (scripts / name).write_text(text)
    bed.spec(f'{SPEC}[env]\nkind = "conda"\npath = "{bed.environment}"\n[env.variables]\nHF_HOME = "mine"\n')
    return bed


def _expected(bed: Bed) -> dict[str, str]:
    prefix = str(bed.environment)
    return {
        "CONDA_PREFIX": prefix, "CONDA_DEFAULT_ENV": prefix, "CONDA_SHLVL": "1", "FROM_STATE": "1", "HF_HOME": "mine",
        "FROM_SCRIPT": f"{prefix}:here",
    }  # fmt: skip


def test_it_reaches_the_trainer(bed: Bed, tmp_path: Path) -> None:
    said = tmp_path / "said.json"
    ended = bed.kl("launch", NAME, "--plain", SAY_IN=str(said), NOISE="x", OUTSIDE="here", NO_CLEAN="1")
    environ = json.loads(said.read_text())["environ"]
    assert _expected(bed).items() <= environ.items()
    assert environ["PATH"].startswith(f"{bed.environment}/bin:")
    assert environ["HF_TOKEN"] == TOKEN and "NOISE" not in environ
    assert "b.sh failed" in ended.err and "not-a-program-at-all" in ended.err
    said.unlink()
    everything = bed.tree().items()
    holds = [name for name, content in everything if isinstance(content, bytes) and TOKEN.encode() in content]
    assert holds == ["environment/etc/conda/activate.d/a.sh"]
    assert not any(TOKEN.encode() in each.read_bytes() for each in (bed.home / ".cache").rglob("*") if each.is_file())


def test_the_plan_shows_it(bed: Bed, tmp_path: Path) -> None:
    outside = {"NOISE": "x", "OUTSIDE": "here"}
    shown = bed.kl("plan", NAME, "--json", **outside)
    environment = json.loads(shown.out)["environment"]
    assert _expected(bed).items() <= environment["variables"].items()
    assert environment["unset"] == ["NOISE"]
    assert [each["code"] for each in json.loads(shown.out)["findings"]].count("activation") == 1
    script, said = bed.kl("plan", NAME, "--sh", **outside).out, tmp_path / "said.json"
    assert TOKEN not in shown.out + script and "HF_TOKEN" in script
    subprocess.run(["sh"], input=script, env=bed.environ({"SAY_IN": str(said), **outside}), text=True, check=True)
    environ = json.loads(said.read_text())["environ"]
    assert _expected(bed).items() <= environ.items() and "NOISE" not in environ


def test_nothing_is_said_of_an_environment_that_is_sound(bed: Bed) -> None:
    (bed.environment / "etc" / "conda" / "activate.d" / "b.sh").unlink()
    ended = bed.kl("plan", NAME, "--json")
    assert "activation" not in [each["code"] for each in json.loads(ended.out)["findings"]]
