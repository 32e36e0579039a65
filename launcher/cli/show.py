"""`kl show`: everything that is known of a run, or of a LoRA file."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from launcher.run.account import RunAccount

LARGEST_HASHED = 2_000_000_000  # bytes: for a larger file, which is no LoRA, it takes too long


def show_command(
    name: Annotated[
        str,
        typer.Argument(
            help="A run's name, its folder, or a model file (some.safetensors).", metavar="NAME", show_default=False
        ),
    ],
    file: Annotated[
        str | None,
        typer.Argument(help="A file of the run: its path is printed.", metavar="[FILE]", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> int:
    """Show how a run went, what it was made of, what it made, and why it failed; or what a LoRA file says of itself."""
    model = _model_file(name)
    if model is not None:
        return _show_model(model, file, as_json=as_json)
    if file is not None:
        return _print_path(name, file)

    from launcher.cli.render_show import account_as_data, account_as_text

    account = _account(name)
    if as_json:
        _print_json(account_as_data(account))
    else:
        _show(account_as_text(account, _columns()))
    return 0


def _account(name: str) -> RunAccount:
    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.known_run import known_run
    from launcher.record.manifest import ManifestError
    from launcher.run.account import account_of

    try:
        run, manifest, outcome = known_run(name)
        return account_of(run, manifest, outcome)
    except (ManifestError, TypeError, ValueError, AttributeError) as error:  # anything may stand in a foreign run.json
        message = f"The manifest of {name} is damaged: {error}."
        raise KlError(message, code=ExitCode.OUTPUT_UNAVAILABLE) from None


def _print_path(name: str, file: str) -> int:
    """A path is printed as it is, byte for byte: it is for programs."""
    import os

    from launcher.cli.runs import output_roots
    from launcher.run.account import file_of
    from launcher.run.find import find_run

    path = file_of(find_run(name, output_roots()), file)
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    return 0


def _model_file(name: str) -> Path | None:
    """The model file that is meant, if one is: what is called like one, or a path of something that is no folder."""
    import os

    from launcher.run.artifacts import MODEL_SUFFIXES

    path = Path(os.path.expanduser(name))  # noqa: PTH111 - Path's own raises where there is no home
    if path.is_dir():
        return None
    return path if name.endswith(MODEL_SUFFIXES) or ("/" in name and os.path.lexists(path)) else None


def _show_model(path: Path, file: str | None, *, as_json: bool) -> int:
    from functools import cache

    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.render_lora import model_as_data, model_as_text
    from launcher.cli.runs import output_roots
    from launcher.data.safetensors_header import Unreadable, read_header
    from launcher.record.hashes import HashError, file_hash
    from launcher.run.maker import maker_of

    header = read_header(path)
    if isinstance(header, Unreadable):
        hint = "kl show takes a run's name, or a safetensors file."
        raise KlError(f"{path} {header.message}.", code=ExitCode.USAGE, hint=hint)
    if file is not None:
        message = f"{path} is a file, and has no file {file} in it."
        raise KlError(message, code=ExitCode.USAGE)
    try:
        hashes = cache(lambda: file_hash(path, weights=True))
        sha256 = hashes().sha256 if path.stat().st_size <= LARGEST_HASHED else None
        maker = maker_of(path, header.metadata, output_roots(), hashes)
    except OSError as error:
        raise KlError(f"{path} cannot be read: {error.strerror}.", code=ExitCode.USAGE) from None
    except HashError as error:
        raise KlError(f"{path} {error}.", code=ExitCode.USAGE) from None
    if as_json:
        _print_json(model_as_data(path, header, sha256, maker))
    else:
        _show(model_as_text(path, header, sha256, maker, _columns()))
    return 0


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 120


def _show(lines: Iterable[str]) -> None:
    from launcher.cli.render import show_lines

    show_lines(lines)


def _print_json(data: object) -> None:
    import json

    print(json.dumps(data, indent=1))
