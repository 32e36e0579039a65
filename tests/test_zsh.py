"""Completion in real shells: what a person sees after Tab, also of names that a shell would like to run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from launcher.base.places import shipped_folder

SOURCE = Path(__file__).resolve().parents[1]
HOSTILE = "odd $(touch pwned)'q"
PROMPT = "ready> "


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a command kl, two runs and some files; the folder."""
    command = tmp_path / "bin/kl"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{SOURCE}" exec "{sys.executable}" -m launcher "$@"\n')
    command.chmod(0o755)
    for run in ("fox-v1s10", HOSTILE):
        (tmp_path / "output_dir" / run).mkdir(parents=True)
        (tmp_path / "output_dir" / run / "run.json").write_text("{}")
    (tmp_path / "my spec.toml").write_text("seed = 1\n")
    (tmp_path / "checkouts").mkdir()
    return tmp_path


@contextmanager
def _shell(home: Path, command: list[str], start: str) -> Iterator[pexpect.spawn[str]]:
    """The shell, at its prompt; nothing of the user's own is read."""
    environment = {
        "PATH": f"{home}/bin{os.pathsep}{os.environ['PATH']}",
        "TERM": "dumb",
        "HOME": str(home),
        "ZDOTDIR": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"],
        "LC_ALL": "C.UTF-8",
    }
    shell = pexpect.spawn(
        command[0], command[1:], env=environment, encoding="utf-8", dimensions=(40, 200), timeout=30, cwd=str(home)
    )
    try:
        shell.sendline(f"PS1='{PROMPT}'; {start}; echo on''ce")
        shell.expect_exact("once")
        shell.expect_exact(PROMPT)
        yield shell
    finally:
        shell.close(force=True)


needs_zsh = pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
ZSH, BASH = ["zsh", "-f", "-i"], ["bash", "--norc", "-i"]
COMPINIT = "autoload -Uz compinit; compinit -u -D"
STARTS = [
    pytest.param(ZSH, f"fpath=({shipped_folder('zsh')} $fpath); {COMPINIT}", id="zsh-fpath", marks=needs_zsh),
    pytest.param(ZSH, f'{COMPINIT}; eval "$(kl completion zsh)"', id="zsh-eval", marks=needs_zsh),
    pytest.param(ZSH, 'eval "$(kl completion zsh)"', id="zsh-eval-alone", marks=needs_zsh),
    pytest.param(ZSH, f'eval "$(kl completion zsh)"; {COMPINIT}', id="zsh-eval-before", marks=needs_zsh),
    pytest.param(
        BASH,
        'bind "set enable-bracketed-paste off" 2>/dev/null; eval "$(kl completion bash)"',
        id="bash",
        marks=needs_bash,
    ),
]
TYPED = {
    "kl opti": "ons ",
    "kl show fo": "x-v1s10 ",
    "kl show od": "d\\ \\$\\(touch\\ pwned\\)\\'q ",
    "kl findings lycoris-algo-u": "nknown ",
    "kl check x --allow caption-miss": "ing ",
    "kl check x --allow=see": "d ",
    "kl check x --set run.keep": "_last_saves=",
    "kl check x --set run.no_clean=f": "alse ",
    "kl plan ./my": "\\ spec.toml ",
    "kl options --sd-scripts ch": "eckouts/",
    "kl templates sd15-loc": "on ",
}


@pytest.mark.parametrize(("command", "start"), STARTS)
def test_tab_completes_from_the_first_time_on(home: Path, command: list[str], start: str) -> None:
    with _shell(home, command, start) as shell:
        for typed, completed in TYPED.items():
            shell.send(f"{typed}\t")
            shell.expect_exact(f"{typed}{completed}")
            shell.send("\x15\r")  # empties the line
            shell.expect_exact(PROMPT)
    assert not (home / "pwned").exists()
    assert not (home / "output_dir/pwned").exists()


@pytest.mark.parametrize(("command", "start"), STARTS)
def test_a_kl_that_fails_leaves_the_prompt_alone(home: Path, command: list[str], start: str) -> None:
    with _shell(home, command, start) as shell:
        (home / "bin/kl").write_text("#!/bin/sh\necho nonsense >&2\nexit 3\n")
        shell.send("kl show fo\t")
        shell.send("\x15\r")  # empties the line
        shell.expect_exact(PROMPT)
        assert "nonsense" not in (shell.before or "")
        shell.sendline("echo st''ill")
        shell.expect_exact("still")
