"""`kl`: the commands, and what becomes of every error."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from copy import copy
from typing import Annotated, Any

import typer

from launcher import __version__
from launcher.base.errors import ExitCode, KlError
from launcher.cli.attach import attach_command
from launcher.cli.check import check_command
from launcher.cli.clean import clean_command
from launcher.cli.complete import ASKED
from launcher.cli.complete import main as answer_shell
from launcher.cli.completion import completion_command
from launcher.cli.config import config_command
from launcher.cli.dataset import dataset_command
from launcher.cli.demo import demo_command
from launcher.cli.diff import diff_command
from launcher.cli.doctor import doctor_command
from launcher.cli.findings import findings_command
from launcher.cli.import_command import import_command
from launcher.cli.launch import launch_command
from launcher.cli.logs import logs_command
from launcher.cli.ls import ls_command
from launcher.cli.new import new_command
from launcher.cli.note import note_command
from launcher.cli.options import options_command
from launcher.cli.plan import plan_command
from launcher.cli.record_command import record_command
from launcher.cli.reproduce import reproduce_command
from launcher.cli.resume import resume_command
from launcher.cli.schema import schema_command
from launcher.cli.setup import setup_command
from launcher.cli.show import show_command
from launcher.cli.stop import stop_command
from launcher.cli.templates import templates_command
from launcher.cli.verify import verify_command
from launcher.cli.zsh import zsh_command

app = typer.Typer(
    name="kl",
    help="Launch LoRA and LyCORIS training with kohya-ss/sd-scripts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("new")(new_command)
app.command("launch")(launch_command)
app.command("check")(check_command)
app.command("plan")(plan_command)
app.command("dataset")(dataset_command)
app.command("ls")(ls_command)
app.command("show")(show_command)
app.command("note")(note_command)
app.command("logs")(logs_command)
app.command("attach")(attach_command)
app.command("stop")(stop_command)
app.command("resume")(resume_command)
app.command("reproduce")(reproduce_command)
app.command("diff")(diff_command)
app.command("verify")(verify_command)
app.command("clean")(clean_command)
app.command("doctor")(doctor_command)
app.command("record")(record_command)
app.command("zsh")(zsh_command)
app.command("import")(import_command)
app.command("options")(options_command)
app.command("schema")(schema_command)
app.command("templates")(templates_command)
app.command("setup")(setup_command)
app.command("config")(config_command)
app.command("findings")(findings_command)
app.command("completion")(completion_command)
app.command("demo")(demo_command)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"kl {__version__}")
        raise typer.Exit


@app.callback()
def _kl(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Launch LoRA and LyCORIS training with kohya-ss/sd-scripts."""


def main() -> None:
    """The command `kl`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:  # noqa: PLR0911 - one way out for each ending
    """Run one command line. Returns its exit code: kl's own (ExitCode) or the trainer's."""
    if arguments[:1] == [ASKED]:
        return answer_shell(arguments[1:])
    if "_KL_COMPLETE" in os.environ:
        _complete_quickly()
    gc.set_threshold(50_000)  # what a command reads mostly stays: to look for garbage at every 700th object takes 15 ms
    try:
        code = _command(list(arguments))
        sys.stdout.flush()
    except KlError as error:
        from launcher.cli.render import show_error

        show_error(error)
        return int(error.code)
    except BrokenPipeError:
        _write_nowhere()  # whoever read the output has seen enough
        return int(ExitCode.DONE)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return _bug()
        _write_nowhere()
        print(f"error: The disk is full: {error.filename or 'standard output'}", file=sys.stderr)
        return int(ExitCode.OUTPUT_UNAVAILABLE)
    except KeyboardInterrupt:
        return 130
    except Exception:
        return _bug()
    return code


def _bug() -> int:
    """The exception being handled is none that a user can cause: show it whole."""
    import traceback

    traceback.print_exc()
    print("This is a bug in kl. Please report it with the lines above.", file=sys.stderr)
    return int(ExitCode.BUG)


def _write_nowhere() -> None:
    """What is left in stdout goes nowhere, so that the interpreter does not complain while it shuts down."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complete_quickly() -> None:
    """Keep typer from loading rich, with its Markdown, only to tidy help texts that hold none: half of the wait."""
    from typer import _completion_classes

    if hasattr(_completion_classes, "_sanitize_help_text"):
        _completion_classes._sanitize_help_text = lambda text: text


def _app_for(arguments: list[str]) -> typer.Typer:
    """The app with the one command that is named: typer looks at the parameters of all it has, 1 ms for each."""
    named = [each for each in app.registered_commands if arguments[:1] == [each.name]]
    if not named or "_KL_COMPLETE" in os.environ:
        return app
    alone = copy(app)
    alone.registered_commands = named
    return alone


def _command(arguments: list[str]) -> int:
    try:
        result: Any = _app_for(arguments)(arguments, prog_name="kl", standalone_mode=False)
    except (KlError, OSError):
        raise
    except Exception as error:
        # typer's own usage errors; their class is typer's or click's, depending on typer's version.
        say = getattr(error, "format_message", None)
        if say is None:
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "kl"
        message = " ".join(say().split())  # typer writes choices below each other
        raise KlError(message, code=ExitCode.USAGE, hint=f"{command} --help shows how it is used.") from None
    return result if isinstance(result, int) else 0
