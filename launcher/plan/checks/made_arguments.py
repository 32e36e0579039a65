"""The key=value items that are handed to an optimizer or a scheduler, against what it takes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from launcher.base.findings import Code, Finding
from launcher.base.nearest import nearest
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.trainer_arguments import in_words
from launcher.plan.plan import Item
from launcher.trainer.following_values import Made, Refusal, Walk
from launcher.trainer.lookup import Absence
from launcher.trainer.optimizers import refused_by_constructor
from launcher.trainer.signatures import Signature, signature_of

_BY_RATE = "lr"
_RULES = set("0123456789.,:")  # of a piecewise schedule, as 1:10,0.1:20,0.01


@dataclass(frozen=True)
class Codes:
    """The option that holds the items, and the codes of what may be wrong with them."""

    option: str
    value: Code
    key: Code
    twice: Code
    missing: Code
    refused: Code
    doubtful: Code


def check_arguments(candidate: Candidate, made: Made, walk: Walk, codes: Codes, place: str | None) -> Iterator[Finding]:
    """Items that cannot be read, are not taken, or are refused by the thing that is made."""
    items = candidate.items(codes.option)
    bad: set[str] = set()
    for refusal in walk.refusals:
        item = _item_of(refusal, items)
        if item:
            bad.add(item.key)
            yield _unreadable(codes, made, item, refusal)
    signature = signature_of(candidate.packages, made.of.dotted)
    if isinstance(signature, Absence):
        return
    for key, item in items.items():
        finding = None if key in bad else _wrong_key(codes, made, signature, item)
        if finding:
            bad.add(key)
            yield finding
    yield from _left_out(codes, made, signature, place, bad)
    if bad:
        return
    refused = refused_by_constructor(candidate.packages, made)
    if refused:
        yield _by_constructor(candidate, codes, made, refused, place)
        return
    for key, item in items.items():
        yield from _doubtful(codes, made, signature, key, item)


def _item_of(refusal: Refusal, items: Mapping[str, Item]) -> Item | None:
    return items.get(str(refusal.item).partition("=")[0]) if refusal.item is not None else None


def _unreadable(codes: Codes, made: Made, item: Item, refusal: Refusal) -> Finding:
    where = str(item.origin)
    if refusal.exception == "TypeError" and refusal.item == item.key:
        return _twice(codes, made, item)
    if "=" in item.text:
        message = f'{codes.option}: the value of {item.key} holds "=", and the trainer splits the item at every one.'
        return codes.value.at(where, message)
    # Before v0.6 sd-scripts made floats of them (library/train_util.py, get_optimizer).
    kind = "a number" if "to float" in (refusal.message or "") else "a Python literal"
    message = f"{codes.option}: {item.key}={item.text} cannot be read: the trainer takes it for {kind}."
    return codes.value.at(where, message, _literal_hint(item, refusal))


def _literal_hint(item: Item, refusal: Refusal) -> str | None:
    word = item.text.strip()
    plain = {"true": "True", "false": "False", "none": "None", "null": "None"}.get(word.lower())
    if plain:
        in_spec = f" ({word.lower()} in TOML, without quotes)" if plain != "None" else ""
        return f"Write {plain}{in_spec}."
    rules = ":" in word and set(word) <= _RULES
    if (word.isidentifier() or rules) and "to float" not in (refusal.message or ""):
        return f"A text needs quotes of its own: \"'{word}'\"."
    return None


def _twice(codes: Codes, made: Made, item: Item) -> Finding:
    hint = "Set learning_rate instead." if item.key == _BY_RATE else f"Remove {item.key}."
    message = f"{codes.option}: the trainer gives {item.key} to {_name(made)} itself."
    return codes.twice.at(str(item.origin), message, hint)


def _wrong_key(codes: Codes, made: Made, signature: Signature, item: Item) -> Finding | None:
    taken = [each.name for each in signature.parameters if each.by_position][: len(made.positional)]
    if item.key in taken:
        return _twice(codes, made, item)
    if signature.get(item.key) or signature.open:
        return None
    free = _free(signature, taken)
    close = nearest(item.key, free)
    hint = f"Did you mean {close}?" if close else f"It takes {', '.join(free)}." if free else f"Remove {item.key}."
    said = "takes it and never reads it" if signature.swallows else "does not take it"
    return codes.key.at(str(item.origin), f"{codes.option}: {item.key} is unknown: {_name(made)} {said}.", hint)


def _free(signature: Signature, taken: list[str]) -> list[str]:
    """The names that an item may have."""
    return [name for name in signature.keywords if name not in taken and name != _BY_RATE]


def _left_out(codes: Codes, made: Made, signature: Signature, place: str | None, bad: set[str]) -> Iterator[Finding]:
    """Arguments that must be given; `bad` are keys that have a finding of their own: for the value, or misspelt."""
    positional = [each.name for each in signature.parameters if each.by_position][: len(made.positional)]
    meant = {nearest(key, _free(signature, positional)) for key in bad if not signature.get(key)}
    given = {*positional, *made.given, *bad, *meant}
    missing = [each.name for each in signature.parameters if each.default is None and each.name not in given]
    if missing and not signature.open:
        message = f"{_name(made)} needs {' and '.join(missing)}, which nothing gives."
        yield codes.missing.at(place, message, f"Set {codes.option}.{missing[0]}.")


def _by_constructor(candidate: Candidate, codes: Codes, made: Made, refused: Refusal, place: str | None) -> Finding:
    items, rate = candidate.items(codes.option), candidate.chosen("learning_rate")
    said, shown, hint = in_words(refused).rstrip("!"), " what it is given", None
    # The one without which it would not raise that.
    keys = (key for key in (*items, _BY_RATE) if key in made.given)
    key = next((key for key in keys if _refused_without(candidate, made, key) != refused), None)
    if key is not None and key in items:
        shown, place = f" {key}={items[key].text}", str(items[key].origin)
    elif key and rate:
        shown, place = f" learning_rate = {rate.setting.value}", str(rate.setting.origin)
        value = made.given[_BY_RATE]
        hint = f"Write {-value:g}." if isinstance(value, (int, float)) and value < 0 else None
    return codes.refused.at(place, f"{_name(made)} refuses{shown}: {said}.", hint)


def _refused_without(candidate: Candidate, made: Made, key: str) -> Refusal | None:
    keywords = tuple((name, value) for name, value in made.keywords if name != key)
    return refused_by_constructor(candidate.packages, replace(made, keywords=keywords))


def _doubtful(codes: Codes, made: Made, signature: Signature, key: str, item: Item) -> Iterator[Finding]:
    parameter = signature.get(key)
    usual = _literal(parameter.default) if parameter else None
    given = made.given.get(key)
    expected = _mismatch(usual, given)
    if expected:
        message = f"{codes.option}: {key} of {_name(made)} is {expected} by default, and {item.text} is none."
        yield codes.doubtful.at(str(item.origin), message)


def _mismatch(usual: Any, given: Any) -> str | None:
    """What the value should most likely be; None where it fits, or where the default says too little."""
    if isinstance(usual, bool):
        return None if isinstance(given, bool) or given in (0, 1, None) or not _is_plain(given) else "True or False"
    if isinstance(usual, (int, float)):
        wrong = isinstance(given, (str, tuple, list, dict)) or given is True or given is False
        return "a number" if wrong else None
    if isinstance(usual, tuple) and len(usual) > 1:
        fits = isinstance(given, (tuple, list)) and len(given) == len(usual)
        return None if fits or given is None or not _is_plain(given) else f"a list of {len(usual)}"
    return None


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool, tuple, list, dict))


def _literal(text: str | None) -> Any:
    try:
        return ast.literal_eval(text) if text else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _name(made: Made) -> str:
    return made.of.dotted.rpartition(".")[2]
