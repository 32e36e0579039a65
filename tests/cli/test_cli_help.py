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


@pytest.mark.parametrize(("command", "choices"), [("zsh", "path, vars"), ("completion", "zsh, bash")])
def test_a_missing_word_is_one_message_with_what_it_may_be(
    capsys: pytest.CaptureFixture[str], command: str, choices: str
) -> None:
    assert run([command]) == 64
    first, hint = capsys.readouterr().err.splitlines()
    assert "Missing argument" in first and f"Choose from: {choices}" in first and "\\t" not in first
    assert f"kl {command} --help" in hint
