"""The arguments after `--`: read as the script's own parser would read them, and given back as settings."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.base.errors import ExitCode, KlError
from launcher.base.nearest import nearest
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.plan.values import NEGATIVE_NUMBER
from launcher.trainer.options import Option, ScriptOptions


def read_arguments(words: Sequence[str], options: ScriptOptions) -> tuple[Setting, ...]:
    """Turn trainer arguments into settings, the last of two winning as in argparse.

    Shortened flags are refused: which option one means changes from release to release. Raises KlError (wrong
    usage) for a flag that the script does not have, a missing value, and a word that belongs to no option.
    """
    settings: dict[str, Setting] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag, equals, attached = word.partition("=")
        if not word.startswith("-") or NEGATIVE_NUMBER.match(word):
            raise _refused(f"{word!r} belongs to no option.", word, "Arguments after -- are --option=value.")
        option = options.by_flag(flag)
        if option is None and options.unread and flag.startswith("--"):
            # The script may have it in a part that could not be read.
            key, value = flag.removeprefix("--"), _unchecked(attached if equals else None, rest)
            settings[key] = Setting((), key, value, Origin(Source.ARGUMENT, f"{flag} after --"))
            continue
        if option is None:
            raise _unknown(flag, options)
        value = _value(option, flag, attached if equals else None, rest)
        key = option.name
        settings.pop(key, None)
        settings[key] = Setting((), key, value, Origin(Source.ARGUMENT, f"{flag} after --"))
    return tuple(settings.values())


def _value(option: Option, flag: str, attached: str | None, rest: list[str]) -> Value:
    if option.is_flag:
        if attached is not None:
            raise _refused(f"{flag} is a switch and takes no value.", flag, f"Write {flag} alone.")
        if option.action == "BooleanOptionalAction":
            return not flag.startswith("--no-")
        return option.const if isinstance(option.const, bool) else True
    if attached is not None:
        return [attached] if option.nargs in ("*", "+") else attached
    if option.nargs in (None, "?"):
        if not rest or looks_like_flag(rest[0]):
            raise _refused(f"{flag} needs a value.", flag, f"Write {flag}=VALUE.")
        return rest.pop(0)
    most = option.nargs if isinstance(option.nargs, int) else len(rest)
    values: list[Value] = []
    while rest and len(values) < most and not looks_like_flag(rest[0]):
        values.append(rest.pop(0))
    return values


def _unchecked(attached: str | None, rest: list[str]) -> Value:
    if attached is not None:
        return attached
    values: list[Value] = []
    while rest and not looks_like_flag(rest[0]):
        values.append(rest.pop(0))
    return values or True


def looks_like_flag(word: str) -> bool:
    """Whether a word is a flag, as argparse tells them apart (argparse.ArgumentParser._parse_optional).

    A blank makes a word a value, but in what stands behind "=": `--output_dir=/my runs/fox` is a flag.
    """
    flag = word.partition("=")[0]
    return word.startswith("-") and len(word) > 1 and " " not in flag and not NEGATIVE_NUMBER.match(word)


def _unknown(flag: str, options: ScriptOptions) -> KlError:
    names = [name for option in options.options for name in option.flags]
    longer = [name for name in names if name.startswith(flag)]
    near = longer[0] if len(longer) == 1 else nearest(flag, names)
    hint = f"Did you mean {near}?" if near else f"kl options {options.script} shows what there is."
    return _refused(f"{options.script} has no option {flag}.", flag, hint)


def _refused(message: str, word: str, hint: str) -> KlError:
    return KlError(message, code=ExitCode.USAGE, where=f"{word} after --", hint=hint)
