"""The list of commands."""

from __future__ import annotations

import pytest

from launcher.cli.main import run

ORDER = (
    "new", "launch", "check", "plan", "dataset", "ls", "show", "note", "logs", "attach", "stop", "resume", "reproduce",
    "diff", "verify", "clean", "doctor", "record", "zsh", "import", "options", "schema", "templates", "setup",
    "config", "findings", "completion", "demo",
)  # fmt: skip


def test_the_commands_are_listed_in_the_order_of_their_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    lines = capsys.readouterr().out.partition("Commands:")[2].splitlines()
    assert tuple(line.split()[0] for line in lines if line.startswith("  ") and line[2:3].strip()) == ORDER
