"""A training command's arguments to the entries of a spec: typed by the script's own options, under headings."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from launcher.base.errors import KlError
from launcher.base.findings import Finding, Severity
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.plan.arguments import looks_like_flag, read_arguments
from launcher.plan.checks.secret_values import text_holds_secret
from launcher.plan.codes import SECRET
from launcher.plan.headings import HEADINGS, heading_of
from launcher.plan.paths import is_path, with_whole_paths
from launcher.plan.secrets import SECRETS
from launcher.plan.values import as_parsed, is_key_value
from launcher.spec.imported import Line
from launcher.spec.write_spec import Entry, Written, number_or_text
from launcher.trainer.options import Option, ScriptOptions, Unread

OWN = ("output_dir", "output_name", "logging_dir", "log_prefix")  # they become the run's name and run.output_root
_OWN_HINTS = {
    "output_dir": "Set output_root in [run], or OUTPUT_DIR: the folder that the run directory is made in.",
    "output_name": "The run is named when it is launched: kl launch NAME, or --name NAME.",
}
_ITEM_KEY = re.compile(r"[^=\s-][^=]*")


@dataclass(frozen=True)
class Around:
    """What arguments are read with. `folder`: relative paths are relative to it. `secrets` by their variables.
    `prompted`: whether the dataset's folder of a run's name has sample prompts, which a spec would take."""

    label: str
    options: ScriptOptions
    folder: Path
    home: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    without_defaults: bool = False
    prompted: Callable[[str], bool] = lambda _: False


@dataclass
class Arguments:
    """The entries of a spec, by option, and what could not be one. `own` are the options that kl sets itself."""

    entries: dict[str, list[Entry]] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    extends: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)  # words that could stand nowhere, as comments
    findings: list[Finding] = field(default_factory=list)

    def say(self, around: Around, line: int, message: str, hint: str | None = None) -> None:
        """Add a warning about one line."""
        where = f"{around.label}:{line}" if line else around.label
        self.findings.append(Finding(Severity.WARNING, "", message, where, hint))

    def ordered(self) -> Iterator[Entry]:
        """The entries in the order of the headings; a table of items comes after the heading of its option."""
        for heading in HEADINGS:
            named = [(name, found) for name, found in self.entries.items() if heading_of(name) == heading]
            yield from (entry for _, found in named for entry in found if entry.table == (heading,))
            yield from (entry for _, found in named for entry in found if entry.table != (heading,))


def import_arguments(words: Sequence[Line], around: Around) -> Arguments:
    """Take the words of a training command apart: an option of each, with its comments.

    What is not known whole stands as a comment with its reason; of an option that is given twice the last counts, as
    for the trainer. Secrets are left out. Each of these is a finding.
    """
    result = Arguments()
    for group in _groups(words, around.options):
        flag = group[0].text.partition("=")[0]
        if not looks_like_flag(group[0].text):
            for word in group:
                result.lost.append(f"{around.label}:{word.line}: {word.text}: {word.why or 'it belongs to no option'}")
                why = word.why or "it belongs to no option"
                result.say(around, word.line, f"{_shown(word.text)} was left out: {why}.", "Add what it stands for.")
            continue
        full = _full_flag(flag, around.options)
        if full != flag:
            result.say(around, group[0].line, f"{flag} is written out: {full}.")
            group[0] = replace(group[0], text=full + group[0].text[len(flag) :])
        _import_group(group, around, result)
    return result


def _groups(words: Iterable[Line], options: ScriptOptions) -> list[list[Line]]:
    """Each flag with its words. One of which nothing is known may hold flags, unless the flag before it waits."""
    groups: list[list[Line]] = []
    for word in words:
        known = not (word.why and word.text.startswith("$"))
        if groups and not looks_like_flag(word.text) and (known or _waits(groups[-1], options)):
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _waits(group: Sequence[Line], options: ScriptOptions) -> bool:
    """Whether this is a flag alone that takes a value."""
    flag = group[0].text
    option = options.by_flag(_full_flag(flag, options)) if len(group) == 1 and "=" not in flag else None
    return option is not None and not option.is_flag


def _full_flag(flag: str, options: ScriptOptions) -> str:
    """A shortened flag as argparse completes it: where just one option's begins so."""
    if not flag.startswith("--") or options.by_flag(flag):
        return flag
    longer = [name for option in options.options for name in option.flags if name.startswith(flag)]
    return longer[0] if len(longer) == 1 else flag


def _import_group(group: list[Line], around: Around, result: Arguments) -> None:
    first = group[0]
    flag = first.text.partition("=")[0]
    key = flag.lstrip("-").replace("-", "_")
    why = next((word.why for word in group if word.why), None)
    if key in SECRETS or _secret_in(group, around):
        hint = f"Set {SECRETS[key]} in the environment: it reaches the trainer." if key in SECRETS else None
        where = f"{around.label}:{first.line}"
        message = f"{key} holds a secret and was left out."
        result.findings.append(SECRET.at(where, message, hint, severity=Severity.WARNING))
        return
    option = around.options.by_flag(flag)
    try:
        setting = _setting([word.text for word in group], around)
    except KlError as error:
        result.say(around, first.line, error.message, error.hint)
        if option is not None:
            result.lost.append(f"{around.label}:{first.line}: {' '.join(word.text for word in group)}: {error.message}")
            return
        setting = _setting([word.text for word in group], replace(around, options=not_read(around.options.script)))
    if setting.key in OWN:
        if not why:
            result.own[setting.key] = str(setting.value)
        elif setting.key in _OWN_HINTS:
            result.say(around, first.line, f"{setting.key} was left out: {why}.", _OWN_HINTS[setting.key])
        return
    if why:
        result.say(around, first.line, f"{setting.key} stands as a comment: {why}.", "Set it as it is meant.")
    _add(group, setting, option, why, around, result)


def not_read(script: str) -> ScriptOptions:
    """The options of a script of which nothing is known: then every flag may be right."""
    return ScriptOptions(script, (), (Unread("", "the options are not known"),))


def _setting(words: Sequence[str], around: Around) -> Setting:
    (setting,) = read_arguments(words, around.options)
    return setting


def _secret_in(group: Iterable[Line], around: Around) -> bool:
    return any(text_holds_secret(word.text, around.secrets) for word in group)


def _add(
    group: list[Line], setting: Setting, option: Option | None, why: str | None, around: Around, result: Arguments
) -> None:
    name, line = setting.key, group[0].line
    if name == "config_file":
        if why:  # the finding says it; its keys are extended, not set
            result.lost.append(f"{around.label}:{line}: {group[0].text}: {why}")
            return
        path = str(setting.value)
        result.extends.append(short(_whole(path if path.endswith(".toml") else f"{path}.toml", around), around.home))
        return
    if name == "output_config":
        result.say(around, line, f"{name} was left out: a run of kl has no use for it.")
        return
    if name in result.entries:
        result.say(around, line, f"{name} is given twice: this one counts, as for the trainer.")
        result.entries.pop(name)
    where = f"line {line}: {why}" if why else None
    if is_key_value(option) if option else name.endswith("_args") and isinstance(setting.value, list):
        if setting.value == []:
            result.say(around, line, f"{name} is given nothing, and was left out.")
            return
        result.entries[name] = list(_items(group, setting, where))
        return
    if option is not None and not why and around.without_defaults and _is_default(option, setting.value):
        return
    try:
        value = _written(option, setting, around)
    except KlError as error:
        if not why:
            result.say(around, line, f"{name}: {error.message}", error.hint)
        value, where = str(setting.value), where or f"line {line}: {error.message}"
    comments = _comments(group)
    result.entries[name] = [Entry((heading_of(name),), name, value, *comments, off=where)]


def _comments(group: Iterable[Line]) -> tuple[tuple[str, ...], str | None, tuple[str, ...]]:
    words = list(group)
    above = tuple(text for word in words for text in word.above)
    beside = "; ".join(word.beside for word in words if word.beside)
    return above, beside or None, tuple(text for word in words for text in word.below)


def _items(group: list[Line], setting: Setting, where: str | None) -> Iterator[Entry]:
    """A table of its own for key=value items, each with its comments; a list where they are none."""
    texts = [str(item) for item in setting.value] if isinstance(setting.value, list) else [str(setting.value)]
    pairs = [text.partition("=") for text in texts]
    table = setting.key
    if where or not all(equals and _ITEM_KEY.fullmatch(key) and key == key.strip() for key, equals, _ in pairs):
        yield Entry((heading_of(table),), table, texts, *_comments(group), off=where)
        return
    words = group[1:] if len(group) == len(texts) + 1 else [group[0]] * len(texts)
    flag = group[0] if len(group) == len(texts) + 1 else None
    found: dict[str, Entry] = {}
    for (key, _, text), word in zip(pairs, words, strict=True):
        above, beside, below = _comments([flag, word] if flag else [word])
        found.pop(key, None)
        found[key] = Entry((table,), key, item_value(text), above, beside, below)
        flag = None
    yield from found.values()


def _written(option: Option | None, setting: Setting, around: Around) -> Written:
    known = option or _stand_in(setting.key)
    value = setting.value
    if is_path(known):
        value = with_whole_paths(known, replace(setting, origin=_origin(around)))
    typed = [_typed(known, str(item), around) for item in (value if isinstance(value, list) else [value])]
    if not isinstance(value, list):
        return typed[0] if isinstance(value, str) else value
    return typed[0] if len(typed) == 1 and not isinstance(known.nargs, int) else typed


def _stand_in(name: str) -> Option:
    """An option of which only the name is known. Its type is none that argparse has."""
    return Option((f"--{name}",), name, "StoreAction", None, None, None, "unknown", None, False, None, "")


def _typed(option: Option, text: str, around: Around) -> Written:
    """A number where the option takes one and reads the same; text otherwise."""
    if is_path(option):
        return short(text, around.home)
    if option.type == "int":
        return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else text
    if option.type == "float":
        return number_or_text(text)
    return text if option.type in (None, "str") else exact_or_text(text)


def exact_or_text(text: str) -> Value:
    """A number only where it comes back as the same text."""
    for kind in (int, float):
        try:
            if len(text) <= 18 and str(kind(text)) == text and "n" not in text:  # not inf and nan
                return kind(text)
        except ValueError:
            continue
    return text


def item_value(text: str) -> Value:
    """The value of one key=value item, which the trainer reads as a text: it comes back as just that text."""
    if text in ("True", "False"):
        return text == "True"
    parts = [exact_or_text(part) for part in text.split(",")]
    if len(parts) > 1 and not any(isinstance(part, str) for part in parts):
        return parts
    return exact_or_text(text)


def _origin(around: Around) -> Origin:
    return Origin(Source.SPEC, around.label, around.folder / "spec.toml")


def _whole(path: str, around: Around) -> str:
    return os.path.normpath(os.path.join(around.folder, os.path.expanduser(path)))  # noqa: PTH111, PTH118


def short(path: str, home: str) -> str:
    """With ~ for the home folder, where kl makes the same path of it again."""
    inside = path.startswith(f"{home.rstrip('/')}/") and home.startswith("/") and len(home) > 1
    return f"~{path[len(home.rstrip('/')) :]}" if inside and os.path.normpath(path) == path else path


def _is_default(option: Option, value: Value) -> bool:
    if "default" in option.unread:
        return False
    if option.is_flag:
        return type(option.default) is bool and option.default is value
    parsed = as_parsed(option, value)
    default = list(option.default) if isinstance(option.default, tuple) else option.default
    return parsed is not None and type(parsed) is type(default) and parsed == default


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"

