"""From a function that builds a parser to the options of that parser."""

from __future__ import annotations

import argparse

from launcher.trainer.options import ScriptOptions
from launcher.trainer.static import results
from launcher.trainer.static.machine import Machine
from launcher.trainer.static.sources import Sources
from launcher.trainer.static.values import UNKNOWN, Asked, Raised, TooLong


def read(sources: Sources, file: str, function: str) -> ScriptOptions:
    """The options of the parser that `function` of `file` returns. What could not be read is listed, never dropped."""
    machine = Machine(sources)
    parser = _parser(machine, file, function)
    options = results.options_of(machine, parser if parser is not None else machine.strays, file)
    return ScriptOptions(script=file, options=options, unread=tuple(machine.notes))


def _parser(machine: Machine, file: str, function: str) -> argparse.ArgumentParser | None:
    module = machine.module_of_file(file)
    if function not in module.scope.names:
        return _parser_at_start(machine, file, function)
    result = UNKNOWN
    try:
        result = machine.call(machine.settled(module.scope.names[function]), (), {}, file)
    except TooLong:
        machine.note(file, f"`{function}` asks for too many steps to follow")
    except RecursionError:
        machine.note(file, f"`{function}` is nested too deeply to follow")
    except Raised:
        machine.note(file, f"`{function}` would end in an exception")
    except Exception as error:  # a checkout may hold anything; what was read so far still counts
        machine.note(file, f"`{function}` cannot be followed to its end ({type(error).__name__})")
    if isinstance(result, argparse.ArgumentParser):
        return result
    machine.note(file, f"what `{function}` returns")
    return _fullest(machine)


def _parser_at_start(machine: Machine, file: str, function: str) -> argparse.ArgumentParser | None:
    """Before v0.5.4 sd-scripts had no `setup_parser`: the parser was built where the script starts."""
    try:
        machine.start(file)
    except Asked as asked:
        if isinstance(asked.parser, argparse.ArgumentParser):
            return asked.parser
    machine.note(file, f"there is no `{function}` here, and no parser is asked for arguments where the script starts")
    return _fullest(machine)


def _fullest(machine: Machine) -> argparse.ArgumentParser | None:
    return max(machine.parsers, key=lambda parser: len(parser._actions), default=None)
