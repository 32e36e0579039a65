"""A training command to the text of a spec that plans the same."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from launcher.base.errors import KlError
from launcher.base.findings import Finding, Severity
from launcher.base.settings import Value
from launcher.plan.checks.secret_values import text_holds_secret
from launcher.plan.codes import SECRET
from launcher.plan.import_arguments import Arguments, Around, exact_or_text, import_arguments, short
from launcher.plan.resolve import PROMPTS
from launcher.plan.secrets import SECRETS, names_a_secret
from launcher.plan.tables import ACCELERATE, ENV, RUN
from launcher.spec.imported import Imported, Line
from launcher.spec.names import parse_name
from launcher.spec.write_spec import Entry, spec_text

# What scripts export for themselves; kl has words of its own for the same.
_NOT_PASSED = {
    "SD_REPO", "SD_SCRIPT", "TRAINING_DIR", "OUTPUT_DIR", "STEPS", "NO_CLEAN", "DEBUG", "NAME", "DATASET_NAME",
    "LYCORIS_REPO", "HOME", "PWD", "SHELL", "USER",
}  # fmt: skip
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What kl fills in by itself.
_FILLED_IN = {"num_processes": "1", "num_machines": "1", "dynamo_backend": "no", "machine_rank": "0"}
ACCELERATE_PATHS = ("_file", "_hostfile", "log_dir")


@dataclass(frozen=True)
class Written:
    """The text of a spec, the name of the run where one was given, and what could not be taken over as it was."""

    text: str
    name: str | None
    findings: tuple[Finding, ...]


def write_imported(found: Imported, around: Around, *, script: str | None, checkout: str | None) -> Written:
    """The spec of a training command. `script` and `checkout` are for [run]; None leaves them out."""
    result = import_arguments(found.words, around)
    name = _name(result.own.get("output_name"), around, result)
    for note in found.notes:
        result.say(around, note.line, note.message, note.hint)
    entries = [
        *_top(result),
        *no_prompts(name, around, result),
        *_run(result, around, script, checkout),
        *_environment(found, around, result),
        *_accelerate(found.accelerate, around, result),
        *result.ordered(),
    ]
    clean = [_without_secrets(entry, around, result) for entry in entries]
    header = [f"{name}, from {around.label}." if name else f"From {around.label}."]
    header += [""] * bool(found.comments)
    header += [text for text in found.comments if not _is_secret(text, around)]
    header += [f"Not known: {text}" for text in result.lost if not _is_secret(text, around)]
    return Written(spec_text(clean, header), name, tuple(dict.fromkeys(result.findings)))


def _name(text: str | None, around: Around, result: Arguments) -> str | None:
    if text is None:
        return None
    try:
        return parse_name(text).text
    except KlError as error:
        result.say(around, 0, f"output_name: {error.message}", error.hint)
        return None


def _top(result: Arguments) -> Iterator[Entry]:
    if result.extends:
        yield Entry((), "extends", result.extends[0] if len(result.extends) == 1 else result.extends)


def no_prompts(name: str | None, around: Around, result: Arguments) -> Iterator[Entry]:
    """What keeps the sample prompts of the dataset's folder out where a whole command line has none."""
    taken = name and around.options.get(PROMPTS) and PROMPTS not in result.entries and not result.extends
    if taken and name and around.prompted(name):
        yield Entry((), PROMPTS, [], beside="the dataset's folder has some")


def _run(result: Arguments, around: Around, script: str | None, checkout: str | None) -> Iterator[Entry]:
    if script is not None:
        yield Entry((RUN,), "script", script)
    if checkout is not None:
        yield Entry((RUN,), "sd_scripts", short(checkout, around.home))
    yield from output_root(result, around)


def output_root(result: Arguments, around: Around) -> Iterator[Entry]:
    """The folder of the run directory that output_dir and output_name mean."""
    folder = result.own.get("output_dir")
    if folder:
        whole = os.path.normpath(os.path.join(around.folder, os.path.expanduser(folder)))  # noqa: PTH111, PTH118
        parent, last = os.path.split(whole)
        root = parent if last == result.own.get("output_name") else whole
        yield Entry((RUN,), "output_root", short(root, around.home))


def _environment(found: Imported, around: Around, result: Arguments) -> Iterator[Entry]:
    for key in ("kind", "name", "path"):
        if key in found.environment:
            yield Entry((ENV,), key, short(found.environment[key], around.home))
    for name, value in found.variables.items():
        if name in _NOT_PASSED or not _VARIABLE.fullmatch(name):
            continue
        if names_a_secret(name) or text_holds_secret(value.text, around.secrets):
            message = f"{name} names a secret and was left out."
            hint = "Set it in the environment that kl is started in: it reaches the trainer."
            where = f"{around.label}:{value.line}"
            result.findings.append(SECRET.at(where, message, hint, severity=Severity.WARNING))
        elif value.why:
            hint = f"Set it before kl is started, or write it into [{ENV}.variables]."
            result.say(around, value.line, f"The variable {name} was left out: {value.why}.", hint)
        else:
            yield Entry((ENV, "variables"), name, value.text)


def _accelerate(words: Sequence[Line], around: Around, result: Arguments) -> Iterator[Entry]:
    """The flags of `accelerate launch`, as written. A word after a flag is its value."""
    given: dict[str, tuple[list[str], Line]] = {}
    for word in words:
        flag, equals, attached = word.text.partition("=")
        if flag.startswith("--"):
            key = flag[2:].replace("-", "_")
            given[key] = ([attached] if equals else [], word)
        elif given and not word.why:
            next(reversed(given.values()))[0].append(word.text)
        else:
            result.say(around, word.line, f"{word.text} of accelerate was left out.", f"Write it into [{ACCELERATE}].")
    own = "config_file" not in given
    for key, (values, word) in given.items():
        text = " ".join(values)
        if around.without_defaults and own and _FILLED_IN.get(key) == text:
            continue
        if word.why:
            result.say(around, word.line, f"{key} of accelerate: {word.why}.", f"Write it into [{ACCELERATE}].")
        value: Value = exact_or_text(text) if values else True
        if key.endswith(ACCELERATE_PATHS) and values:
            whole = os.path.normpath(os.path.join(around.folder, os.path.expanduser(text)))  # noqa: PTH111, PTH118
            value = short(whole, around.home)
        elif key == "gpu_ids":
            value = text
        off = f"line {word.line}: {word.why}" if word.why else None
        yield Entry((ACCELERATE,), key, value, word.above, word.beside, word.below, off)


def _without_secrets(entry: Entry, around: Around, result: Arguments) -> Entry:
    """The entry without comments that hold a secret."""
    above, below = _kept(entry.above, around), _kept(entry.below, around)
    beside = None if entry.beside and _is_secret(entry.beside, around) else entry.beside
    if (above, beside, below) != (entry.above, entry.beside, entry.below):
        result.say(around, 0, f"A comment with {entry.key} was left out: it may hold a secret.")
    return replace(entry, above=above, beside=beside, below=below)


def _kept(comments: Sequence[str], around: Around) -> tuple[str, ...]:
    return tuple(text for text in comments if not _is_secret(text, around))


def _is_secret(text: str, around: Around) -> bool:
    return text_holds_secret(text, around.secrets) or any(f"{key}=" in text or f"{key} " in text for key in SECRETS)


def held_secrets(variables: Mapping[str, str]) -> Mapping[str, str]:
    """The values of a script's own variables whose names say that they are secret."""
    return {name: value for name, value in variables.items() if names_a_secret(name) and len(value) >= 8}
