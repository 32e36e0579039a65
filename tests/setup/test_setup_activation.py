"""What activating a conda environment sets: against a shell that activates it, with the stand-in or a real conda.

KL_CONDA names a real conda to compare with, over environments that these tests make.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from conda_bed import CondaBed, conda_bed, fill
from hypothesis import given
from hypothesis import strategies as st

from launcher.setup.activation import Activation, activation, environment_variables
from launcher.setup.conda_environments import activated_again, conda_at

_NOT_COMPARED = {"_", "SHLVL", "PWD", "OLDPWD", "CONDA_EXE", "_CONDA_EXE", "_CONDA_ROOT", "CONDA_PYTHON_EXE",
                 "_CE_M", "_CE_CONDA", "MAMBA_EXE", "MAMBA_ROOT_PREFIX"}  # fmt: skip
CUDA = 'export LD_LIBRARY_PATH="$CONDA_PREFIX/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n'


@pytest.fixture(params=["conda", "micromamba"])
def bed(request: pytest.FixtureRequest, tmp_path: Path) -> CondaBed:
    return conda_bed(tmp_path, request.param)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def _shell(lines: str, environ: Mapping[str, str]) -> dict[str, str]:
    argv = ["bash", "--noprofile", "--norc", "-c", f"{lines}\nexec env -0"]
    told = subprocess.run(argv, env=dict(environ), capture_output=True, check=True).stdout
    items = [os.fsdecode(item).partition("=") for item in told.split(b"\0") if item]
    return {name: value for name, _, value in items}


def _activated(bed: CondaBed, prefix: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What a shell has after the program's own activation."""
    program = os.environ.get("KL_CONDA", str(bed.program))
    posix = ["shell", "activate", "-s", "posix", "-p"] if "micromamba" in program else ["shell.posix", "activate"]
    return _shell(f'eval "$({shlex.join([program, *posix, str(prefix)])})"', environ)


def _applied(found: Activation, environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in found.unset}
    return {**kept, **found.variables}


def _same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    left, right = ({k: v for k, v in each.items() if k not in _NOT_COMPARED} for each in (one, other))
    left["PATH"], right["PATH"] = (_path(each) for each in (left["PATH"], right["PATH"]))
    assert left == right
    return True


def _path(path: str) -> str:
    """A base environment that is no folder has no condabin: kl leaves that out."""
    return ":".join(each for each in path.split(":") if not each.endswith("condabin"))


def test_as_a_shell_does_it(bed: CondaBed, cache: Path) -> None:
    prefix = bed.environment(
        "lora",
        activate={
            "b.sh": 'export ORDER="$ORDER b" "AFTER=$LATER"\nunset NOISE\n',
            "a.sh": CUDA
            + 'export ORDER="a $CONDA_DEFAULT_ENV"; LATER=kept; LINES_="$(printf "x\\ny")"; export LINES_\n',
            "c.fish": "set -gx WRONG 1\n",
        },
        packages={"GDAL_DATA": "/gdal", "shared": "package", "PATH": "/nowhere"},
        own={"SHARED": "own", "number": "3", "GONE": "***unset***"},
    )
    environ = bed.environ(NOISE="x", LD_LIBRARY_PATH="/mine", GONE="stays")
    found = activation(prefix, environ, cache=cache)
    assert _same(_applied(found, environ), _activated(bed, prefix, environ))
    assert found.variables["ORDER"] == "a lora b" and found.variables["AFTER"] == "kept"
    assert found.variables["LD_LIBRARY_PATH"] == f"{prefix}/lib:/mine"
    assert found.variables["SHARED"] == "own" and found.variables["LINES_"] == "x\ny"
    assert found.unset == ("NOISE",)
    assert found.problems == ()
    assert found.variables["PATH"].split(":")[0] == f"{prefix}/bin"
    assert not {"PWD", "SHLVL", "_", "WRONG", "LATER", "CONDA_EXE"} & found.variables.keys()


def test_without_scripts_no_shell_is_started(bed: CondaBed, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    prefix = bed.environment("lora", own={"FOO": "1"})
    environ = bed.environ()
    found = activation(prefix, environ, cache=cache)
    monkeypatch.undo()
    assert _same(_applied(found, environ), _activated(bed, prefix, environ))
    assert found.variables["CONDA_PROMPT_MODIFIER"] == "(lora) "


def test_outside_of_the_named_ones_it_is_called_by_its_folder(bed: CondaBed, tmp_path: Path) -> None:
    prefix = bed.environment(tmp_path / "elsewhere" / "mine")
    found = activation(prefix, bed.environ())
    assert found.variables["CONDA_DEFAULT_ENV"] == str(prefix)
    assert _same(_applied(found, bed.environ()), _activated(bed, prefix, bed.environ()))


def test_the_base_environment(tmp_path: Path) -> None:
    bed = conda_bed(tmp_path, "conda")
    found = activation(bed.root, bed.environ())
    assert found.variables["CONDA_DEFAULT_ENV"] == "base"
    assert found.variables["PATH"].split(":")[:2] == [f"{bed.root}/bin", f"{bed.root}/condabin"]


def test_the_base_environment_of_micromamba(tmp_path: Path) -> None:
    bed = conda_bed(tmp_path, "micromamba")
    fill(bed.root)
    (bed.root / "pkgs").mkdir()
    assert _same(activation(bed.root, bed.environ()).variables, _without_home(bed))


def _without_home(bed: CondaBed) -> dict[str, str]:
    found = _activated(bed, bed.root, bed.environ())
    return {name: value for name, value in found.items() if name not in ("HOME",)}


def test_another_one_is_active(bed: CondaBed, cache: Path) -> None:
    """It is left first, as if in a new shell: its folder, its variables and what its scripts take back."""
    undo = {"activate": {"o.sh": "export OTHER=1 BOTH=other\n"}, "deactivate": {"o.sh": "unset OTHER\n"}}
    other = bed.environment("other", own={"OWN": "other", "HF_HOME": "/other"}, **undo)
    prefix = bed.environment("lora", activate={"a.sh": "export BOTH=lora\n"})
    plain = bed.environ(HF_HOME="/before")
    inside = {**_activated(bed, other, plain), "__CONDA_SHLVL_0_HF_HOME": "/before"}
    assert inside["OTHER"] == "1" and inside["CONDA_SHLVL"] == "1"
    found = activation(prefix, inside, cache=cache)
    applied = _applied(found, inside)
    assert applied["BOTH"] == "lora" and applied["HF_HOME"] == "/before"
    assert f"{other}/bin" not in applied["PATH"].split(":")
    assert applied["CONDA_SHLVL"] == "1"
    assert not {"OTHER", "OWN", "__CONDA_SHLVL_0_HF_HOME"} & applied.keys()
    assert set(found.unset) == {"OTHER", "OWN", "__CONDA_SHLVL_0_HF_HOME"}
    assert _same(applied, _activated(bed, prefix, plain))


def test_several_are_active_on_top_of_each_other(bed: CondaBed, cache: Path) -> None:
    base = bed.environment("one", own={"ONE": "1"})
    top = bed.environment("two", own={"TWO": "2"}, deactivate={"t.sh": "unset TOP\n"})
    prefix = bed.environment("lora")
    environ = bed.environ(
        CONDA_SHLVL="2", CONDA_PREFIX=str(top), CONDA_PREFIX_1=str(base), CONDA_STACKED_2="true", ONE="1", TWO="2",
        TOP="x", PATH=f"{top}/bin:{base}/bin:/usr/bin:/bin",
    )  # fmt: skip
    found = activation(prefix, environ, cache=cache)
    assert found.variables["PATH"].replace(f"{bed.root}/condabin:", "") == f"{prefix}/bin:/usr/bin:/bin"
    assert set(found.unset) == {"CONDA_PREFIX_1", "CONDA_STACKED_2", "ONE", "TWO", "TOP"}


def test_in_the_environment_itself_what_somebody_changed_stays(bed: CondaBed, cache: Path) -> None:
    """But it is known what came from the activation: it is recorded, for a resume in another shell."""
    prefix = bed.environment(
        "lora", activate={"a.sh": CUDA + "export FIXED=1 CHOSEN=0\n"}, own={"CUDA_VISIBLE_DEVICES": "0"}
    )
    inside = _activated(bed, prefix, bed.environ(LD_LIBRARY_PATH="/mine"))
    inside |= {"CUDA_VISIBLE_DEVICES": "1", "CHOSEN": "2"}
    for environ in (inside, inside):  # the second time as remembered
        found = activation(prefix, environ, cache=cache)
        assert _applied(found, environ) == inside
        assert found.unset == ()
        chosen = {
            name: found.variables[name] for name in ("CUDA_VISIBLE_DEVICES", "CHOSEN", "FIXED", "LD_LIBRARY_PATH")
        }
        assert chosen == {
            "CUDA_VISIBLE_DEVICES": "1", "CHOSEN": "2", "FIXED": "1", "LD_LIBRARY_PATH": f"{prefix}/lib:/mine",
        }  # fmt: skip


def test_the_scripts_run_once(bed: CondaBed, cache: Path, tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f'echo x >> "{count}"; export GOT="$WISH"\n'
    prefix = bed.environment("lora", activate={"a.sh": script})

    def runs(environ: Mapping[str, str]) -> tuple[str, int]:
        found = activation(prefix, environ, cache=cache)
        return found.variables.get("GOT", ""), len(count.read_text().split())

    environ = bed.environ(WISH="1")
    assert runs(environ) == ("1", 1)
    assert runs({**environ, "TERM": "other"}) == ("1", 1)  # nothing that the script names
    assert runs({**environ, "WISH": "2"}) == ("2", 2)
    assert runs(environ) == ("1", 2)
    (prefix / "lib" / "python3.11" / "site-packages" / "new").mkdir()  # a script may ask Python for a package
    assert runs(environ) == ("1", 3)
    (prefix / "conda-meta" / "history").write_text("==> 2026-01-01 <==\n")
    assert runs(environ) == ("1", 4)
    fill(prefix, activate={"a.sh": script + "export GOT=3\n"})
    assert runs(environ) == ("3", 5)
    fill(prefix, own={"WISH": "4"})
    assert runs(environ)[1] == 6
    for damage in (b"", b"[]", b'{"x": 3}', b'{"x": [1, 2, 3]}', b"\xff"):
        next((cache / "activation").iterdir()).write_bytes(damage)
        before = runs(environ)[1]
        assert runs(environ)[1] == before


def test_secrets_are_never_written_down(bed: CondaBed, cache: Path) -> None:
    secret = "hf_abcdefghij0123456789"
    script = f"export HF_TOKEN={secret}; export WITH_IT=https://user:{secret}@host\n"
    prefix = bed.environment("lora", activate={"a.sh": script}, own={"WANDB_API_KEY": "0123456789abcdef0123"})
    activation(prefix, bed.environ(), cache=cache)
    assert not cache.exists()
    environment = conda_at(prefix, environ=bed.environ())
    assert environment.secrets["HF_TOKEN"] == secret and environment.secrets["WANDB_API_KEY"].startswith("0123")
    assert not {"HF_TOKEN", "WANDB_API_KEY", "WITH_IT"} & environment.variables.keys()
    assert secret not in repr(environment)


def test_what_goes_wrong_is_said_and_the_rest_is_done(bed: CondaBed, cache: Path) -> None:
    scripts = {
        "a.sh": "export A=1\nfalse\n",
        "b.sh": "export B=1\nnot-a-program-at-all\n",
        "c.sh": "export C=1\nexit 7\n",
        "d.sh": "export D=1\nif then\n",
        "e.sh": "set -e; export E=1; false; export E=2\n",
        "f.sh": "set -u; : $NOT_SET_AT_ALL; export F=2\n",
        "g.sh": '[ -n "$NOT_SET" ] && export G=1\n',
        "h.sh": "export H=1; echo said; echo warned >&2\n",
    }
    prefix = bed.environment("lora", activate=scripts)
    for _ in range(2):
        found = activation(prefix, bed.environ(), cache=cache)
        assert [found.variables.get(name) for name in "ABCEH"] == ["1", "1", None, "2", "1"]
        told = [problem.partition("activate.d/")[2] for problem in found.problems]
        assert [each[:4] for each in told] == ["b.sh", "c.sh", "d.sh", "f.sh"]
        assert "not-a-program-at-all" in told[0] and "ended its shell: status 7" in told[1]


def test_a_script_that_hangs_is_ended(bed: CondaBed, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.setup.activation_scripts.PATIENCE", 0.5)
    prefix = bed.environment("lora", activate={"a.sh": "export A=1\n", "b.sh": "sleep 600\n", "c.sh": "export C=1\n"})
    found = activation(prefix, bed.environ(), cache=cache)
    assert found.variables["A"] == "1" and "C" not in found.variables
    assert [each.rpartition("/")[2] for each in found.problems] == ["b.sh took more than 0.5 s; c.sh did not run"]
    assert not cache.exists()  # the machine may have been busy: it is tried again


def test_what_a_script_leaves_running_is_not_waited_for(bed: CondaBed, cache: Path, tmp_path: Path) -> None:
    script = f'sleep 600 & echo $! > "{tmp_path}/id"; export A=1\n'
    prefix = bed.environment("lora", activate={"a.sh": script})
    try:
        found = activation(prefix, bed.environ(), cache=cache)
    finally:
        os.kill(int((tmp_path / "id").read_text()), 9)
    assert found.variables["A"] == "1" and found.problems == ()


def test_a_script_that_says_much(bed: CondaBed, cache: Path) -> None:
    script = "head -c 3000000 /dev/zero | tr '\\0' x >&2; head -c 3000000 /dev/zero; export A=1\n"
    prefix = bed.environment("lora", activate={"a.sh": script})
    assert activation(prefix, bed.environ(), cache=cache).variables["A"] == "1"


def test_names_that_are_no_text_come_through(bed: CondaBed, cache: Path) -> None:
    prefix = bed.environment("lo ra'$x", activate={"a b'.sh": 'export GOT="$ODD"\n'})
    environ = bed.environ(ODD="\udcff\udcfe é")
    for _ in range(2):
        found = activation(prefix, environ, cache=cache)
        assert found.variables["GOT"] == environ["ODD"] and found.problems == ()


def test_variables_that_cannot_be_read(bed: CondaBed) -> None:
    prefix = bed.environment("lora", packages={"GOOD": "1"}, own={"A=B": "x", "LIST": [], "N\0": "x", "ZERO": "a\0b"})
    for name, text in (("a.json", "no json"), ("b.json", "[1]"), ("c.json", "[" * 100_000)):
        (prefix / "etc" / "conda" / "env_vars.d" / name).write_text(text)
    (prefix / "etc" / "conda" / "env_vars.d" / "folder").mkdir()
    found, problems = environment_variables(prefix)
    assert found == {"GOOD": "1"}
    assert len(problems) == 4


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text() | st.floats() | st.integers(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
        max_leaves=8,
    )
)
def test_any_state(tmp_path_factory: pytest.TempPathFactory, content: object) -> None:
    prefix = tmp_path_factory.mktemp("any")
    (prefix / "conda-meta").mkdir()
    raw = content if isinstance(content, bytes) else json.dumps({"env_vars": content}).encode()
    (prefix / "conda-meta" / "state").write_bytes(raw)
    found, _ = environment_variables(prefix)
    assert all(name.isidentifier() and "\0" not in value for name, value in found.items())


def test_a_recorded_run_gets_what_is_not_on_record(tmp_path: Path) -> None:
    bed = conda_bed(tmp_path, "conda")
    scripts = {"a.sh": "unset NOISE ONCE; export HF_TOKEN=hf_abcdefghij0123456789\n"}
    prefix = bed.environment("lora", activate=scripts)
    environ = bed.environ(NOISE="x", ONCE="y")
    launched = conda_at(prefix, environ=environ)
    again = activated_again(launched, {**launched.variables, "ONCE": "set by the spec"}, environ)
    assert again.unset == ("NOISE",) and again.secrets == launched.secrets
    for recorded in ({}, {"CONDA_PREFIX": str(tmp_path / "other")}):
        assert activated_again(launched, recorded, environ) is launched


def test_a_plain_shell_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.setup.activation_scripts.shell", lambda environ: "/bin/sh")
    bed = conda_bed(tmp_path, "conda")
    scripts = {"a.sh": CUDA, "b.sh": "if then\n", "c.sh": "export C=1; unset NOISE\n", "d.sh": "exit 1\n"}
    prefix = bed.environment("lora", activate=scripts)
    found = activation(prefix, bed.environ(NOISE="x"), cache=tmp_path / "cache")
    assert found.variables["LD_LIBRARY_PATH"] == f"{prefix}/lib" and found.variables["C"] == "1"
    assert found.unset == ("NOISE",)
    assert [each.partition("activate.d/")[2].split()[0] for each in found.problems] == ["b.sh", "d.sh"]
