"""Settings and options become chosen values: who wins, what belongs to which option, and what belongs to none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from launcher.base.findings import Finding
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.plan.codes import NOTHING_TO_DROP, SAME_KEY_TWICE, WRONG_TYPE
from launcher.plan.plan import Item
from launcher.plan.tables import OWN_TABLES
from launcher.plan.values import BadValue, is_key_value, item_text, meant_by_flag, words_of
from launcher.trainer.options import Option, ScriptOptions

DATASET_TABLES = ("datasets", "general")
PROMPTS = "sample_prompts"


@dataclass(frozen=True)
class Chosen:
    """An option with the value that won. `items` is filled for an option of key=value items."""

    option: Option
    setting: Setting
    over: tuple[Setting, ...] = ()
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Resolved:
    """Every setting accounted for: chosen options, what stands for files, keys that no option has, findings."""

    chosen: tuple[Chosen, ...]
    whole: tuple[Setting, ...]  # datasets, general and sample_prompts written into the spec
    unknown: tuple[Setting, ...]
    findings: tuple[Finding, ...]

    def get(self, name: str) -> Chosen | None:
        """The chosen value of an option, by its name."""
        return next((chosen for chosen in self.chosen if chosen.option.name == name), None)

    def value(self, name: str) -> Value:
        """The value of an option as written; None when nobody chose one."""
        chosen = self.get(name)
        return chosen.setting.value if chosen else None


@dataclass
class _Work:
    options: ScriptOptions
    plain: dict[str, list[Setting]] = field(default_factory=dict)
    items: dict[str, dict[str, Item]] = field(default_factory=dict)
    whole: list[Setting] = field(default_factory=list)
    unknown: list[Setting] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def resolve(settings: Iterable[Setting], options: ScriptOptions, drop: Iterable[str] = ()) -> Resolved:
    """Give every setting (weakest first) to its option.

    `drop` names what is left out of what the spec inherits: an option, or one item as "network_args.block_dims".
    A name there that nothing sets is a finding: it is most likely misspelt.
    """
    work = _Work(options)
    names = set(drop)
    unused = set(names)
    for setting in settings:
        if (setting.table[:1] and setting.table[0] in OWN_TABLES) or (not setting.table and setting.key in OWN_TABLES):
            continue
        if any(_is_item_table(name, options) for name in setting.table[:-1]):
            message, hint = f"{setting.path}: a table of key=value items holds no tables.", "Write its keys directly."
            work.findings.append(WRONG_TYPE.at(str(setting.origin), message, hint))
            continue
        owner = _item_owner(setting, options)
        path = f"{owner.name}.{setting.key}" if owner else setting.key
        if setting.origin.source in (Source.CONFIG, Source.TEMPLATE) and names & {path, owner.name if owner else path}:
            unused -= {path, owner.name if owner else path}
            continue
        if not setting.table and _is_whole(setting):
            work.whole = [other for other in work.whole if other.key != setting.key] + [setting]
        elif owner:
            _add_item(work, owner, setting.key, setting.value, setting.origin)
        else:
            _add_plain(work, setting)
    for name in sorted(unused):
        message = f"run.drop names {name}, which nothing inherited sets."
        work.findings.append(NOTHING_TO_DROP.at(None, message, "Correct or remove the name."))
    return Resolved(tuple(_chosen(work)), tuple(work.whole), tuple(work.unknown), tuple(work.findings))


def _is_whole(setting: Setting) -> bool:
    return setting.key in DATASET_TABLES or (setting.key == PROMPTS and isinstance(setting.value, (list, dict)))


def _item_owner(setting: Setting, options: ScriptOptions) -> Option | None:
    """The option whose table of key=value items this setting stands in."""
    return options.get(setting.table[-1]) if setting.table and _is_item_table(setting.table[-1], options) else None


def _is_item_table(name: str, options: ScriptOptions) -> bool:
    option = options.get(name)
    return option is not None and is_key_value(option)


def _option_for(key: str, options: ScriptOptions) -> Option | None:
    return options.get(key) or options.by_flag(f"--{key}")


def _add_plain(work: _Work, setting: Setting) -> None:
    option = _option_for(setting.key, work.options)
    if option is None:
        work.unknown.append(setting)
        return
    if is_key_value(option):
        _add_item_list(work, option, setting)
        return
    setting = replace(setting, value=meant_by_flag(option, setting.key, setting.value))
    earlier = work.plain.setdefault(option.name, [])
    same = next((other for other in earlier if _clash(other, setting)), None)
    if same:
        work.findings.append(_twice(option.name, same.origin, setting.origin))
    earlier.append(setting)


def _add_item_list(work: _Work, option: Option, setting: Setting) -> None:
    """`network_args = ["algo=locon"]`, as sd-scripts' own configuration files write it."""
    parts = setting.value if isinstance(setting.value, list) else [setting.value]
    if not parts:
        hint = f'To leave out what a template sets: run.drop = ["{option.name}"].'
        message = f"{option.name} holds nothing."
        work.findings.append(WRONG_TYPE.at(str(setting.origin), message, hint))
    said: set[str] = set()
    for part in parts:
        key, equals, value = part.partition("=") if isinstance(part, str) else ("", "", "")
        if not equals or not key:
            message = f"{option.name} takes items of the form key=value, and {part!r} is none."
            hint = f"Write a table: [{option.name}] with one key per line."
            work.findings.append(WRONG_TYPE.at(str(setting.origin), message, hint))
            continue
        if key in said:
            work.findings.append(_twice(f"{option.name}.{key}", setting.origin, setting.origin))
        said.add(key)
        _add_item(work, option, key, value, setting.origin)


def _add_item(work: _Work, option: Option, key: str, value: Value, origin: Origin) -> None:
    text = item_text(value)
    name = f"{option.name}.{key}"
    if isinstance(text, BadValue):
        work.findings.append(text.code.at(str(origin), f"{name}: {text.message}.", text.hint))
        return
    if "=" in key or key != key.strip() or key.startswith("-"):
        hint = "Write the key alone before the first '='."
        work.findings.append(
            WRONG_TYPE.at(str(origin), f"{key!r} is no key for {option.name}.", hint)
        )
        return
    items = work.items.setdefault(option.name, {})
    before = items.pop(key, None)  # the order of the strongest: a replaced item moves to where it was said last
    items[key] = Item(key, value, text, origin)
    if before and _clash(before, items[key]):
        work.findings.append(_twice(name, before.origin, origin))


def _chosen(work: _Work) -> Iterator[Chosen]:
    """In the order in which the parser has them, so that one spec always gives one command."""
    for option in work.options.options:
        settings = work.plain.pop(option.name, [])
        items = work.items.pop(option.name, None)
        if items:
            last = list(items.values())[-1]
            value: Value = {item.key: item.value for item in items.values()}
            yield Chosen(option, Setting((), option.name, value, last.origin), items=tuple(items.values()))
        elif settings:
            fitting = _fitting(option, settings[-1].value, work.options)
            yield Chosen(fitting, settings[-1], over=tuple(reversed(settings[:-1])))


def _fitting(option: Option, value: Value, options: ScriptOptions) -> Option:
    """Of several switches that set one value, on and off, the one that sets it as it is meant."""
    same = [other for other in options.options if other.name == option.name and other.is_flag]
    giving = (other for other in same if isinstance(words := words_of(other, value), tuple) and words)
    return next(giving, option) if option.is_flag else option


def _clash(first: Setting | Item, second: Setting | Item) -> bool:
    """Whether both were written in one file, or with --set: then one of them would be lost unseen."""
    before, after = first.origin, second.origin
    if before.source is Source.SET and after.source is Source.SET:
        return True
    if before.path is None or before.path != after.path:
        return False
    # A YAML mapping merged into two tables by an anchor stands once in the file, and loses nothing.
    return before.line is None or before.line != after.line or first.value != second.value


def _twice(name: str, first: Origin, second: Origin) -> Finding:
    place = f"line {first.line}" if first.path and first.line else str(first)
    message = f"{name} is set twice: here and in {place}."
    return SAME_KEY_TWICE.at(str(second), message, "Keep one of them.")
