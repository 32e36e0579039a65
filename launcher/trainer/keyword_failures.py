"""Trying a network module's function with given arguments, and finding which of them each failure is owed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launcher.trainer.keyword_results import Failure, Trial
from launcher.trainer.keyword_trial import MODEL, Call, follow_call
from launcher.trainer.keyword_values import UNKNOWN, Failed
from launcher.trainer.static.sources import Sources

_MOST_FAILURES = 8  # of one spec
_TEXT = 2_000  # characters of a message that are kept


def trial(
    sources: Sources, file: str, function: str, texts: Mapping[str, str], numbers: tuple[int | None, float | None],
    extra: Mapping[str, Any], is_sdxl: bool | None,
) -> Trial:  # fmt: skip
    """What a function of a network module makes of network_args `texts`; see `network_args.try_network`."""
    if function == "create_network":
        positional: tuple[Any, ...] = (1.0, *numbers, UNKNOWN, UNKNOWN, MODEL)
    else:
        positional = (1, UNKNOWN, UNKNOWN, UNKNOWN, MODEL)

    def follow(given: Mapping[str, str]) -> tuple[Any, set[str], Failed | None, bool]:
        return follow_call(sources, file, Call(function, positional, extra, given, is_sdxl))

    failures: list[Failure] = []
    left = dict(texts)
    state, read, failed, whole = follow(left)
    first = (state, read, whole and failed is None)
    while failed is not None and len(failures) < _MOST_FAILURES:
        needed = _needed(follow, left, failed)
        if not needed:
            return Trial()  # it would fail without any of them: not read rightly
        failures.append(_failure(failed, needed, left))
        for key in failures[-1].keys[:1]:
            del left[key]
        state, read, failed, whole = follow(left)
    state, read, whole = first if not failures else (state, read, whole and failed is None)
    bare = {} if not state.said else follow({})[0].said
    said = tuple((text, _blamed(follow, text, left)) for text in state.said if text not in bare)
    unread = tuple(key for key in left if key not in read) if whole and not failures else ()
    return Trial(tuple(failures), unread, tuple(state.remarks), said)


def _needed(follow: Any, texts: Mapping[str, str], failed: Failed) -> dict[str, str]:
    """As few of the arguments as end in the same failure."""
    needed = dict(texts)
    for key in texts:
        without = {name: text for name, text in needed.items() if name != key}
        again: Failed | None = follow(without)[2]
        if again is not None and (again.kind, again.message) == (failed.kind, failed.message):
            needed = without
    return needed


def _failure(failed: Failed, needed: Mapping[str, str], texts: Mapping[str, str]) -> Failure:
    def blame(key: str) -> int:
        named = key in failed.names
        holds = bool(failed.number) and failed.message in needed[key]
        return -(4 * named + 2 * (key in failed.message.split()) + holds)

    keys = tuple(sorted(needed, key=blame))
    message = failed.message[:_TEXT]
    return Failure(keys, failed.kind, message, failed.number, failed.wanted, failed.given, failed.choices)


def _blamed(follow: Any, text: str, texts: Mapping[str, str]) -> str:
    """The first of the arguments without which a warning would not be given."""
    needed = dict(texts)
    for key in texts:
        without = {name: value for name, value in needed.items() if name != key}
        if text in follow(without)[0].said:
            needed = without
    return next(iter(needed), "")
