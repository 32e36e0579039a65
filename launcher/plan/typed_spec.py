"""What was typed, `--set`s and arguments after `--`, to the text of a spec that plans the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.plan.headings import HEADINGS, heading_of
from launcher.plan.import_arguments import Around, import_arguments, short
from launcher.plan.import_spec import ACCELERATE_PATHS, Written, no_prompts, output_root
from launcher.plan.paths import is_path, with_whole_paths
from launcher.plan.plan import Trainer
from launcher.plan.resolve import DATASET_TABLES, PROMPTS
from launcher.plan.tables import ACCELERATE, ENV, OWN_TABLES, RUN
from launcher.plan.values import is_key_value
from launcher.spec.imported import Line
from launcher.spec.paths import expand
from launcher.spec.write_spec import Entry, spec_text

_PATHS = {(RUN, "sd_scripts"), (RUN, "output_root"), (RUN, "dataset_folder"), (RUN, "repositories"), (ENV, "path")}
_NAMES = {(RUN, "sd_scripts"), (ENV, "path")}  # these may also be a name of the configuration


def write_typed(
    sets: Sequence[Setting],
    arguments: Sequence[str],
    around: Around,
    *,
    name: str | None = None,
    trainer: Trainer | None = None,
    extends: Path | None = None,
    repositories: Sequence[Path] = (),
) -> Written:
    """The spec of what was typed, without errors in it. An argument wins over a `--set`, as it does when it is typed.

    `trainer` is given where there was no spec: then [run] names it. `extends` is the spec that there was. `name` is the
    run's.
    """
    result = import_arguments([Line(word, 0) for word in arguments], around)
    own = [Entry((), "extends", short(str(extends), around.home))] if extends else []
    if trainer:
        own.append(Entry((RUN,), "script", trainer.script))
        own.append(Entry((RUN,), "sd_scripts", short(str(trainer.checkout), around.home)))
        own += output_root(result, around)
    if repositories:
        own.append(Entry((RUN,), "repositories", [short(str(each), around.home) for each in repositories]))
    said: dict[str, list[Entry]] = {}
    for setting in sets:
        own += _own(setting, around)
        for option, entry in _of_the_trainer(setting, around):
            said.setdefault(option, []).append(entry)
    for option, entries in said.items():
        result.entries[option] = _joined(entries, result.entries.get(option, []))
    if trainer and all(entry.key != PROMPTS for entry in own):
        own += no_prompts(name, around, result)
    own.sort(key=lambda entry: ("", *OWN_TABLES).index(entry.table[0] if entry.table else ""))
    return Written(spec_text([*own, *result.ordered()]), None, tuple(dict.fromkeys(result.findings)))


def _own(setting: Setting, around: Around) -> Iterator[Entry]:
    """An entry in one of kl's own tables, or of what stands for a file; none for an option of the trainer."""
    if not setting.table and (setting.key in DATASET_TABLES or isinstance(setting.value, (dict, list))):
        if setting.key in (*DATASET_TABLES, PROMPTS):
            yield Entry((), setting.key, setting.value)
    elif setting.table[:1] and setting.table[0] in OWN_TABLES:
        place = (setting.table[0], setting.key)
        if place in _PATHS or (place[0] == ACCELERATE and setting.key.endswith(ACCELERATE_PATHS)):
            yield Entry(setting.table, setting.key, _whole(setting.value, place, around))
        else:
            yield Entry(setting.table, setting.key, setting.value)


def _whole(value: Value, place: tuple[str, str], around: Around) -> Value:
    if isinstance(value, list):
        return [_whole(item, place, around) for item in value]
    text = str(value)
    if place in _NAMES and "/" not in text and not text.startswith(("~", "$")) and not os.path.lexists(text):
        return text
    return short(expand(text, around.folder), around.home)


def _of_the_trainer(setting: Setting, around: Around) -> Iterator[tuple[str, Entry]]:
    """The entries that a setting of an option becomes, each with the option's name."""
    if setting.table[:1] and setting.table[0] in OWN_TABLES:
        return
    if not setting.table and (setting.key in DATASET_TABLES or (setting.key == PROMPTS and _holds(setting.value))):
        return
    owner = around.options.get(setting.table[-1]) if setting.table else None
    if owner and is_key_value(owner):
        yield owner.name, Entry((owner.name,), setting.key, setting.value)
        return
    option = around.options.get(setting.key) or around.options.by_flag(f"--{setting.key}")
    if option is None:
        yield setting.key, Entry((heading_of(setting.key),), setting.key, setting.value)
    elif is_key_value(option):
        for item in _items(setting.value):
            key, _, text = item.partition("=")
            yield option.name, Entry((option.name,), key, text)
    else:
        value = setting.value
        if is_path(option) and not option.is_flag:
            origin = Origin(Source.SPEC, around.label, around.folder / "spec.toml")
            value = _short(with_whole_paths(option, replace(setting, origin=origin)), around)
        yield option.name, Entry((heading_of(option.name),), setting.key, value)


def _holds(value: Value) -> bool:
    return isinstance(value, (dict, list))


def _items(value: Value) -> Iterable[str]:
    return map(str, value if isinstance(value, list) else [value])


def _short(value: Value, around: Around) -> Value:
    if isinstance(value, list):
        return [_short(item, around) for item in value]
    return short(value, around.home) if isinstance(value, str) else value


def _joined(sets: list[Entry], arguments: list[Entry]) -> list[Entry]:
    """What arguments leave of the `--set`s of one option, and the arguments."""
    if arguments and any(entry.table[0] in HEADINGS for entry in (*sets, *arguments)):
        return arguments
    keys = {entry.key for entry in arguments}
    return [*(entry for entry in sets if entry.key not in keys), *arguments]
