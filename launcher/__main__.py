"""`python -m launcher` is `kl`, and so is its command."""

from __future__ import annotations

import sys


def main() -> None:
    """The command `kl`. A shell that completes a word is answered before all commands are loaded: somebody waits."""
    if sys.argv[1:2] == ["_complete"]:
        from launcher.cli.complete import main as complete  # noqa: PLC0415

        sys.exit(complete(sys.argv[2:]))
    from launcher.cli.main import main as command  # noqa: PLC0415

    command()


if __name__ == "__main__":
    main()
