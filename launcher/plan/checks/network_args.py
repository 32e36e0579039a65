"""network_module and network_args against what the module's own source reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.findings import Code, Finding, Severity
from launcher.base.nearest import nearest
from launcher.base.origin import Origin
from launcher.base.places import shipped_folder
from launcher.base.words import listed
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.network_args_module import NetworkModule, version_of
from launcher.plan.checks.network_args_values import values_of
from launcher.plan.checks.network_family import check_network_family
from launcher.plan.plan import Item
from launcher.trainer.keywords import Keywords
from launcher.trainer.network_args import TrainingCall, lycoris_names, network_keywords, training_call
from launcher.trainer.packages import Packages

NOT_FOUND = Code(
    "network-module-not-found",
    Severity.ERROR,
    "The trainer imports the module after it has loaded the model and cached the pictures, and fails there.",
    "train_network.py, NetworkTrainer.train",
)
NOT_A_NETWORK = Code(
    "network-module-unusable",
    Severity.ERROR,
    "The trainer calls this function of the module, which does not have it.",
    "train_network.py, NetworkTrainer.train",
)
UNREAD = Code(
    "network-arg-unread",
    Severity.ERROR,
    "Nobody asks for an item of this name: the trainer passes it on, records it in the model's metadata, and nothing "
    "comes of it. In a template that ships with kl it is a warning: there it stands as others published it.",
    "train_network.py, NetworkTrainer.train; create_network of the network module",
)
DEPRECATED = Code(
    "network-arg-deprecated",
    Severity.WARNING,
    "The module still takes the old name, and says that a later version may not.",
    "create_network of the network module",
)
TWICE = Code(
    "network-arg-given-twice",
    Severity.ERROR,
    "The trainer gives the module an argument of this name itself, and Python refuses a call with the same argument "
    "twice.",
    "train_network.py, NetworkTrainer.train",
)
SPLIT = Code(
    "network-arg-equals-sign",
    Severity.ERROR,
    "This trainer splits every item at each equals sign, and fails where that gives more than a key and a value.",
    "train_network.py, NetworkTrainer.train",
)
_TRAINER = "train_network.py"


@dataclass(frozen=True)
class _Given:
    """What an item's name is checked against."""

    candidate: Candidate
    module: NetworkModule
    keywords: Keywords
    call: TrainingCall | None


def check_network_args(candidate: Candidate, *, cache: Path | None = None) -> Iterator[Finding]:
    """The network module, and every item of network_args: its name, its value, what it does beside the others."""
    dotted = candidate.value("network_module")
    if not candidate.has("network_args") or not isinstance(dotted, str) or not dotted:
        return
    packages = _packages(candidate)
    found = packages.find(dotted)
    if found is None:
        yield from _not_found(candidate, packages, dotted, cache)
        return
    function = "create_network_from_weights" if candidate.value("dim_from_weights") is True else "create_network"
    module = NetworkModule(dotted, found, function, packages, cache)
    keywords = network_keywords(found, function, cache=cache)
    if keywords is None:
        yield from _not_a_network(candidate, module)
        return
    other_family = list(check_network_family(candidate, module, _networks(candidate, cache)))
    if other_family:
        yield from other_family
        return  # what its items are is said once the module is the right one
    call = training_call(candidate.trainer.checkout, candidate.trainer.script, function, cache=cache)
    given = _Given(candidate, module, keywords, call)
    known: dict[str, Item] = {}
    misspelt: dict[str, Item] = {}
    for item in candidate.items("network_args").values():
        where = str(item.origin)
        finding = _of_name(given, item.key, where) or _of_sign(candidate, item.key, item.text, where)
        if finding is None or finding.severity is not Severity.ERROR:
            known[item.key] = item
        elif finding.code == UNREAD.name and (near := _near(given, item.key)):
            misspelt[near] = replace(item, key=near)
        if finding and finding.code == UNREAD.name and _ships_with_kl(item.origin):
            drop = f'run.drop = ["network_args.{item.key}"] leaves it out.'
            finding = replace(finding, severity=Severity.WARNING, hint=drop)
        if finding:
            yield finding
    said = list(values_of(candidate, module, known, call))
    if misspelt and said:  # what follows from the misspelt name only was said with it
        meant = set(values_of(candidate, module, {**misspelt, **known}, call))
        said = [finding for finding in said if finding in meant]
    yield from said


def _ships_with_kl(origin: Origin) -> bool:
    """Whether a value was not written by the user, but by the author of one of kl's own templates."""
    return origin.path is not None and origin.path.parent == shipped_folder("templates")


def _packages(candidate: Candidate) -> Packages:
    """Where the trainer imports from, with the folders of PYTHONPATH."""
    folders = [Path(each) for each in candidate.environ.get("PYTHONPATH", "").split(":") if each]
    packages = candidate.packages
    return replace(packages, site=(*folders, *packages.site)) if folders and packages.site else packages


def _not_found(candidate: Candidate, packages: Packages, dotted: str, cache: Path | None) -> Iterator[Finding]:
    first = dotted.partition(".")[0]
    in_checkout = (candidate.trainer.checkout / first).is_dir()
    if not in_checkout and not packages.known:
        return  # it may well be in the environment, which is not known
    networks = list(_networks(candidate, cache))
    hint = _algorithm_meant(dotted, networks, packages, cache)
    near = None if hint else _module_meant(dotted, networks)
    hint = f"Did you mean {near}?" if near else hint
    if first == "lycoris" and not hint:
        if version_of(packages, dotted) is None:
            hint = f"Install it into the environment: {candidate.environment.python} -m pip install lycoris-lora"
        else:
            near = nearest(dotted, ["lycoris.kohya"])
            hint = f"Did you mean {near}?" if near else None
    places = "the checkout" if in_checkout else "the checkout or the environment"
    message = f"There is no module {dotted} in {places}."
    yield NOT_FOUND.at(candidate.where("network_module"), message, hint)


def _module_meant(dotted: str, networks: list[str]) -> str | None:
    """The module whose name is near, or whose last part is: "lora" is networks.lora."""
    by_last = {name.rpartition(".")[2]: name for name in networks}
    last = nearest(dotted, by_last, cutoff=0.8) if "." not in dotted else None
    return by_last[last] if last else nearest(dotted, networks)


def _algorithm_meant(dotted: str, networks: list[str], packages: Packages, cache: Path | None) -> str | None:
    """A hint where an algorithm of LyCORIS stands in the module's place."""
    algo = dotted.rpartition(".")[2].lower()
    is_module = any(algo == name.rpartition(".")[2] for name in networks)
    if is_module or "lycoris.kohya" not in networks or algo not in lycoris_names(packages, cache=cache).algos:
        return None
    return f'Set network_module = "lycoris.kohya", and algo = "{algo}" in network_args.'


def _not_a_network(candidate: Candidate, module: NetworkModule) -> Iterator[Finding]:
    found = module.found
    if found.file is None:
        return
    text = module.source.text(found.file)
    if not text or module.function in text or "import *" in text or "__getattr__" in text:
        return  # it may come from somewhere that cannot be followed
    near = nearest(module.dotted, _networks(candidate, module.cache))
    message = f"{module.dotted} has no function {module.function}."
    yield NOT_A_NETWORK.at(candidate.where("network_module"), message, f"Did you mean {near}?" if near else None)


def _of_name(given: _Given, key: str, where: str) -> Finding | None:
    """What is to be said about the name of an item."""
    candidate, module, keywords, call = given.candidate, given.module, given.keywords, given.call
    if call and key in (*keywords.positional[: call.positional], *call.keywords):
        option = f"network_{key}" if candidate.has(f"network_{key}") else key if candidate.has(key) else None
        option = "network_dropout" if key == "neuron_dropout" and candidate.has("network_dropout") else option
        message = f"The trainer gives {module.dotted} the argument {key} itself."
        return TWICE.at(where, message, f"Use the option {option}." if option else "Leave it out.")
    new = dict(keywords.renamed).get(key)
    if new:
        return DEPRECATED.at(where, f"{key} is an old name in {module.name}.", f"Write {new}.")
    if key in keywords.read:
        return None
    readers = [other for other in _readers(candidate, module, key) if other != module.dotted]
    message = f"{module.name} never reads {key}"
    if module.function != "create_network":
        message += " with dim_from_weights"
    if readers:
        message += f"; {listed(readers)} {'do' if len(readers) > 1 else 'does'}"
    severity = Severity.WARNING if keywords.is_open else None
    return UNREAD.at(where, f"{message}.", _instead(given, key), severity=severity)


def _instead(given: _Given, key: str) -> str | None:
    names = [name for name in given.keywords.read if name not in given.keywords.positional]
    for option in (key, f"network_{key}"):
        if given.candidate.has(option):
            return f"{option} is an option of its own: write it outside network_args."
    near = _near(given, key)
    if near:
        return f"Did you mean {near}?"
    return f"It reads {', '.join(sorted(names))}." if 0 < len(names) <= 12 else None


def _near(given: _Given, key: str) -> str | None:
    """The item that was most likely meant. Many names begin alike: block_size is not what block_dims was meant for."""
    names = [name for name in given.keywords.read if name not in given.keywords.positional]
    return nearest(key, names, cutoff=0.75)


def _of_sign(candidate: Candidate, key: str, text: str, where: str) -> Finding | None:
    if "=" not in text:
        return None
    body = candidate.source.function(candidate.trainer.script, "train") or candidate.source.function(_TRAINER, "train")
    body = body if "net_arg" in body else candidate.source.function(_TRAINER, "train")
    if not re.search(r"net_arg\.split\([\"']=[\"']\)", body):
        return None
    return SPLIT.at(where, f"The value of {key} holds an equals sign.", "A newer sd-scripts takes it.")


def _networks(candidate: Candidate, cache: Path | None) -> Iterator[str]:
    """The modules of the checkout's folder networks that make a network, and LyCORIS where it is installed."""
    for path in _network_files(candidate):
        if re.search(r"^def create_network\(", candidate.source.text(f"networks/{path.name}"), re.MULTILINE):
            yield f"networks.{path.stem}"
    if candidate.packages.find("lycoris.kohya"):
        yield "lycoris.kohya"


def _network_files(candidate: Candidate) -> list[Path]:
    try:
        return sorted((candidate.trainer.checkout / "networks").glob("*.py"))
    except OSError:
        return []


def _readers(candidate: Candidate, module: NetworkModule, key: str) -> Iterator[str]:
    """The other network modules that read an item of this name."""
    quoted: Mapping[str, str] = {path.stem: candidate.source.text(f"networks/{path.name}")
                                 for path in _network_files(candidate)}  # fmt: skip
    names = [f"networks.{stem}" for stem, text in quoted.items() if f'"{key}"' in text or f"'{key}'" in text]
    for dotted in (*names, "lycoris.kohya"):
        found = candidate.packages.find(dotted)
        read = network_keywords(found, module.function, cache=module.cache) if found else None
        if read and key in read.read and key not in read.positional[:6]:
            yield dotted
