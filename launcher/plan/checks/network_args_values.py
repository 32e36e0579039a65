"""The values of network_args: tried on the module's own source, and against the names that LyCORIS knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from launcher.base.findings import Code, Finding, Severity
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.network_args_lycoris import lycoris_values
from launcher.plan.checks.network_args_module import IGNORED, REFUSED, SWITCH, NetworkModule, short
from launcher.plan.plan import Item
from launcher.trainer.keyword_results import Failure, Trial
from launcher.trainer.network_args import TrainingCall, try_network
from launcher.trainer.source_text import Evidence

NOT_A_PROBABILITY = Code(
    "network-arg-not-a-probability",
    Severity.WARNING,
    "A dropout is the share that is left out at random: with 1 or more nothing is left to train.",
    "LoRAModule.forward of the network module",
)
_WORTH_SAYING = re.compile(r"\b(ignored|too long|too short|invalid|no effect|not supported)\b", re.IGNORECASE)


def values_of(
    candidate: Candidate, module: NetworkModule, items: Mapping[str, Item], call: TrainingCall | None
) -> Iterator[Finding]:
    """What is wrong with the values of the items whose names are right."""
    if items:
        yield from _tried(candidate, module, items, call)
        yield from _conv_alpha(module, items)
        yield from _probabilities(items)
        yield from _unit(candidate, module, items)
    if module.dotted == "lycoris.kohya" and module.function == "create_network":
        yield from lycoris_values(candidate, module, items)


def is_sdxl(candidate: Candidate) -> bool | None:
    """Whether the script trains SDXL, by its own text; None where that cannot be said."""
    script = candidate.trainer.script
    text = candidate.source.text(script)
    if re.search(r"\bis_sdxl *= *True\b", text):
        return True
    return False if script == "train_network.py" or (text and "sdxl" not in text.lower()) else None


def _tried(
    candidate: Candidate, module: NetworkModule, items: Mapping[str, Item], call: TrainingCall | None
) -> Iterator[Finding]:
    texts = {key: item.text for key, item in items.items()}
    dropout = candidate.value("network_dropout")
    extra: dict[str, Any] = {}
    if call and module.function == "create_network":
        added = {key: candidate.value(option) for key, option in call.added if key not in texts}
        extra = {**added, **({"neuron_dropout": dropout} if "neuron_dropout" in call.keywords else {})}
    numbers = (candidate.value("network_dim"), candidate.value("network_alpha"))
    family = is_sdxl(candidate)
    trial = try_network(module.found, module.function, texts, numbers, extra, is_sdxl=family, cache=module.cache)
    for failure in trial.failures:
        item = items[failure.keys[0]]
        yield REFUSED.at(str(item.origin), _refusal(module, failure, item), _help(candidate, failure, family))
    yield from _remarks(module, items, trial)


def _refusal(module: NetworkModule, failure: Failure, item: Item) -> str:
    if failure.number:
        kind = "a whole number" if failure.number == "int" else "a number"
        if failure.message == item.text:
            return f"{item.key} takes {kind}, and {short(item.text)} is none."
        return f"{item.key} takes numbers with commas between them, and {short(failure.message)} is not {kind}."
    if failure.wanted is not None:
        return f"{item.key} takes {failure.wanted} values, and {failure.given} are given."
    if failure.choices:
        return f"{item.key} cannot be {short(item.text)}."
    said = failure.message.partition(" / ")[0].strip()
    words = f'"{said}"' if failure.kind in ("AssertionError", "Exception") and said else f"{failure.kind}: {said}"
    return f"{module.dotted} fails on {item.key}={item.text[:80]}, with {words.rstrip(': ')}."


def _help(candidate: Candidate, failure: Failure, family: bool | None) -> str | None:
    if failure.choices:
        return f"It may be {', '.join(failure.choices)}."
    if (
        failure.wanted is not None
        and failure.keys[0].endswith(("_dims", "_alphas"))
        and _blocks_known(candidate, family)
    ):
        return f"One for each block; {candidate.trainer.script} trains {'SDXL' if family else 'SD 1 or 2'}."
    return f"It depends on {', '.join(failure.keys[1:])} too." if failure.keys[1:] else None


def _blocks_known(candidate: Candidate, family: bool | None) -> bool:
    return family is True or (family is False and candidate.trainer.script == "train_network.py")


def _remarks(module: NetworkModule, items: Mapping[str, Item], trial: Trial) -> Iterator[Finding]:
    for kind, key, detail in trial.remarks:
        if key not in items:
            continue
        text, where = short(items[key].text), str(items[key].origin)
        if kind == "off-anyway":
            message = f"{module.dotted} switches {key} on for {detail!r} only: {text} leaves it off."
            yield SWITCH.at(where, message, "Write true.")
        elif kind == "on-anyway" and detail:
            message = f"{module.dotted} switches {key} off for {detail!r} only: {text} switches it on."
            yield SWITCH.at(where, message, "Write false.")
        elif kind == "on-anyway":
            message = f"{module.dotted} takes every text for true: {text} switches {key} on."
            yield SWITCH.at(where, message, f"Leave {key} out.")
    for key in trial.unread:
        message = f"{module.dotted} does not come to {key} with the other items as they are."
        yield IGNORED.at(str(items[key].origin), message, _needs(module, key))
    for text, key in trial.said:
        if _WORTH_SAYING.search(text) and key in items:
            said = text.partition(" / ")[0].strip().rstrip(".")
            yield IGNORED.at(str(items[key].origin), f'{module.dotted} takes {key}, but warns: "{said}".')


def _needs(module: NetworkModule, key: str) -> str | None:
    """The item that another one stands and falls with, where its name says so: block_alphas, block_dims."""
    other = key.replace("_alphas", "_dims").replace("_alpha", "_dim")
    if other != key:
        return f"Give {other} too, or leave {key} out."
    return "Give block_dims too, or leave it out." if "block" in key else None


def _conv_alpha(module: NetworkModule, items: Mapping[str, Item]) -> Iterator[Finding]:
    """conv_alpha is made a number and used only together with conv_dim (networks/lora.py, create_network)."""
    if module.function != "create_network" or "conv_alpha" not in items or {"conv_dim", "conv_block_dims"} & set(items):
        return
    patterns = (r"if conv_dim is not None: conv_dim = int\(conv_dim\)", r"else: conv_alpha = float\(conv_alpha\)")
    if module.found.file and module.source.says(Evidence(module.found.file, "create_network", patterns)):
        message = f"{module.dotted} uses conv_alpha only with conv_dim, which is not given."
        yield IGNORED.at(str(items["conv_alpha"].origin), message, "Give conv_dim too, or leave conv_alpha out.")


def _probabilities(items: Mapping[str, Item]) -> Iterator[Finding]:
    for key in ("dropout", "rank_dropout", "module_dropout"):
        if key in items:
            number = _number(items[key].text)
            if number is not None and not 0 <= number < 1:
                message = f"{key} is a probability, and {items[key].text} is not from 0 to below 1."
                yield NOT_A_PROBABILITY.at(str(items[key].origin), message, "Write a number such as 0.1.")


def _unit(candidate: Candidate, module: NetworkModule, items: Mapping[str, Item]) -> Iterator[Finding]:
    """DyLoRA trains `unit` ranks at a time (networks/dylora.py, DyLoRAModule.__init__)."""
    patterns = (r"assert self\.lora_dim % self\.unit == 0",)
    dim, unit = candidate.value("network_dim"), _number(items["unit"].text) if "unit" in items else None
    if not unit or not isinstance(dim, int) or module.function != "create_network" or dim % unit == 0:
        return
    if module.found.file and module.source.says(Evidence(module.found.file, "", patterns)):
        message = f"{module.dotted} trains unit={items['unit'].text} ranks at a time, and network_dim is {dim}."
        yield REFUSED.at(str(items["unit"].origin), message, "network_dim must be a multiple of unit.")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
