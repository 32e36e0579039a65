"""network_weights and base_weights: LoRA files that a run goes on from, or merges into the model first."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher.base.errors import KlError
from launcher.base.findings import Code, Finding, Severity
from launcher.data.model_family import Family, Kind, recognise
from launcher.data.network_file import NetworkFile, network_file
from launcher.data.safetensors_header import Header
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.model_file import check_model_file, header_of
from launcher.plan.checks.script_family import family_of
from launcher.plan.paths import with_whole_paths
from launcher.trainer.source_text import Evidence, SourceText

WEIGHTS_KIND = Code(
    "network-weights-kind",
    Severity.ERROR,
    "The network takes the weights whose names it has and leaves out all others without a word: training starts from "
    "zero, or nothing is merged.",
    "networks/lora.py, LoRANetwork.load_weights (load_state_dict with strict=False) and merge_to; "
    "lycoris/kohya.py, LycorisNetworkKohya.load_weights",
)
WEIGHTS_FAMILY = Code(
    "network-weights-family",
    Severity.ERROR,
    "A LoRA fits the family that it was trained on. For another one its names are left out without a word, or its "
    "sizes do not fit and loading fails.",
    "networks/lora.py, LoRANetwork.load_weights (load_state_dict with strict=False)",
)
WEIGHTS_DIM = Code(
    "network-weights-dim",
    Severity.ERROR,
    "The network is made with network_dim first, and then filled from the file: with another rank the sizes do not "
    "fit, and loading fails after the latents are cached.",
    "train_network.py, NetworkTrainer.train; networks/lora.py, LoRANetwork.load_weights",
)
DIM_UNUSED = Code(
    "network-dim-unused",
    Severity.WARNING,
    "With dim_from_weights every layer gets the rank that it has in the file, and network_dim is not looked at.",
    "train_network.py, NetworkTrainer.train (create_network_from_weights)",
)
MULTIPLIER_COUNT = Code(
    "base-weights-multiplier",
    Severity.WARNING,
    "base_weights and base_weights_multiplier belong together by their order. A file without a multiplier is merged "
    "with 1.0, and a multiplier without a file is not used.",
    "train_network.py, NetworkTrainer.train",
)
_PLAIN_LORA = {f"networks.{name}" for name in (
    "lora", "lora_fa", "lora_flux", "lora_sd3", "lora_lumina", "lora_anima", "lora_hunyuan_image"
)}  # fmt: skip
_ALGOS = {"lora": "lora", "locon": "lora", "loha": "loha", "lokr": "lokr", "diag-oft": "oft", "glora": "glora"}
_PRESETS = ("full", "full-lin", "attn-mlp", "attn-only", "unet-only", "unet-transformer-only", "unet-convblock-only")
_OWN_RANKS = ("dims", "_dim", "lr_weight", "lr_zero_threshold", "preset")  # network_args that give layers other ranks
_DEFAULT_DIM = 4
_ALIKE = ({Family.FLUX, Family.CHROMA},)


@dataclass(frozen=True)
class _Weights:
    option: str
    path: Path
    where: str | None
    header: Header
    file: NetworkFile


def check_network_weights(candidate: Candidate) -> Iterator[Finding]:
    """Whether the files are there, and whether the network can take what they hold."""
    family = family_of(candidate)
    for path in _paths(candidate, "network_weights"):
        weights = yield from _opened(candidate, "network_weights", path)
        if weights and candidate.says(Evidence("train_network.py", "", (r"\.load_weights\(args\.network_weights\)",))):
            yield from _loaded(candidate, weights, family)
    merged = _paths(candidate, "base_weights")
    for path in merged:
        weights = yield from _opened(candidate, "base_weights", path)
        if weights:
            kinds = _kinds(candidate)
            taken = {"lora", "loha", "lokr", "oft", "glora", "ia3", "full"} if _is_lycoris(candidate) else kinds
            yield from _fits(candidate, weights, taken, family)
    yield from _multipliers(candidate, len(merged))


def _paths(candidate: Candidate, option: str) -> list[Path]:
    chosen = candidate.chosen(option)
    if chosen is None:
        return []
    try:
        whole = with_whole_paths(chosen.option, chosen.setting)
    except KlError:
        return []  # a finding of the plan already
    paths = whole if isinstance(whole, list) else [whole]
    return [Path(path) for path in paths if isinstance(path, str) and path]


def _opened(candidate: Candidate, option: str, path: Path) -> Generator[Finding, None, _Weights | None]:
    where = candidate.where(option)
    if path.is_dir():
        yield WEIGHTS_KIND.at(where, f"{option}: {path} is a folder.", "Give the .safetensors file in it.")
        return None
    yield from check_model_file(option, path, where)
    header = header_of(path)
    if header is None or not header.tensors:
        return None
    kind = recognise(header).kind
    if kind not in (Kind.LORA, Kind.UNKNOWN):
        message = f"{option}: {path} is {kind.value}, not a LoRA."
        hint = "Give it as pretrained_model_name_or_path." if kind is Kind.BASE else None
        yield WEIGHTS_KIND.at(where, message, hint)
    return _Weights(option, path, where, header, network_file(header)) if kind is Kind.LORA else None


def _loaded(candidate: Candidate, weights: _Weights, family: Family | None) -> Iterator[Finding]:
    from_weights = candidate.value("dim_from_weights") is True
    kinds = None if from_weights and _is_lycoris(candidate) else _kinds(candidate)
    unfit = list(_fits(candidate, weights, kinds, family))
    yield from unfit
    if not unfit:
        yield from _ranks(candidate, weights, from_weights)
    if weights.file.diffusers_names and not from_weights and not unfit and kinds == {"lora"}:
        message = f"{weights.option}: {weights.path} has diffusers' names for the U-Net, and those are left out."
        yield WEIGHTS_KIND.at(weights.where, message, "Use dim_from_weights = true, which translates them.")


def _fits(candidate: Candidate, weights: _Weights, kinds: set[str] | None, family: Family | None) -> Iterator[Finding]:
    held = weights.file.kinds
    if kinds and held and not kinds & held:
        module = candidate.value("network_module")
        message = f"{weights.option}: {weights.path} holds {_named(held)} weights, and {module} takes {_named(kinds)}."
        yield WEIGHTS_KIND.at(weights.where, message, _other_network(held))
        return
    own = weights.file.family
    if own and family and own is not family and not any({own, family} <= alike for alike in _ALIKE):
        message = f"{weights.option}: {weights.path} was trained on {own.value}, and this run trains {family.value}."
        yield WEIGHTS_FAMILY.at(weights.where, message, f"Give a LoRA of {family.value}.")


def _ranks(candidate: Candidate, weights: _Weights, from_weights: bool) -> Iterator[Finding]:
    if any(
        key.endswith(_OWN_RANKS) and key != "conv_dim" and not _is_usual(candidate, key) for key in _items(candidate)
    ):
        return
    dim, ranks = candidate.value("network_dim"), weights.file.ranks
    said = " and ".join(str(rank) for rank in sorted(ranks))
    if from_weights:
        if dim is not None and ranks and set(ranks) != {dim}:
            message = f"dim_from_weights takes the rank {said} of {weights.path.name}, and not network_dim = {dim}."
            yield DIM_UNUSED.at(candidate.where("network_dim"), message, "Remove network_dim.")
        return
    wanted = _DEFAULT_DIM if dim is None else dim
    if _kinds(candidate) and len(ranks) == 1 and wanted not in ranks:
        shown = f"network_dim is {wanted}" if dim is not None else f"network_dim is not set, which means {wanted}"
        message = f"{weights.option}: {weights.path} has rank {said}, and {shown}."
        hint = f"Set network_dim = {said}" + (
            ", or dim_from_weights = true." if candidate.has("dim_from_weights") else "."
        )
        yield WEIGHTS_DIM.at(candidate.where("network_dim") or weights.where, message, hint)


def _multipliers(candidate: Candidate, merged: int) -> Iterator[Finding]:
    chosen = candidate.chosen("base_weights_multiplier")
    value = chosen.setting.value if chosen else None
    if value is None:
        return
    number = len(value) if isinstance(value, list) else 1
    if number != merged:
        message = f"There are {number} base_weights_multiplier and {merged} base_weights."
        hint = "Give one multiplier for each file." if merged else "Remove it, or give base_weights."
        severity = Severity.ERROR if number > merged else None
        yield MULTIPLIER_COUNT.at(candidate.where("base_weights_multiplier"), message, hint, severity=severity)


def _kinds(candidate: Candidate) -> set[str] | None:
    """The kinds of weights that the run's network has; None when that is not known."""
    module = candidate.value("network_module")
    if module in _PLAIN_LORA:
        return {"lora"} if _leaves_out(candidate, "weights_sd") else None
    if module in ("networks.oft", "networks.oft_flux"):
        return {"oft"} if _leaves_out(candidate, "weights_sd") else None
    if not _is_lycoris(candidate) or not _is_usual(candidate, "preset"):
        return None
    algo = _ALGOS.get(_items(candidate).get("algo", "lora").lower())
    return {algo} if algo and _leaves_out(candidate, r"self\.weights_sd") else None


def _leaves_out(candidate: Candidate, weights: str) -> bool:
    """Whether the network's own code loads what fits and leaves out the rest."""
    found = candidate.packages.find(str(candidate.value("network_module")))
    if found is None or found.file is None:
        return False
    pattern = rf"load_state_dict\( ?{weights}, (?:strict=)?False"
    source = candidate.source if found.root == candidate.source.root else SourceText(found.root)
    evidence = Evidence(found.file, "load_weights", (pattern,))
    return source.says(evidence)


def _is_lycoris(candidate: Candidate) -> bool:
    return bool(candidate.value("network_module") == "lycoris.kohya")


def _is_usual(candidate: Candidate, key: str) -> bool:
    return key == "preset" and _items(candidate).get("preset", "full") in _PRESETS


def _items(candidate: Candidate) -> dict[str, str]:
    return {key: item.text for key, item in candidate.items("network_args").items()}


def _named(kinds: set[str] | frozenset[str]) -> str:
    names = {
        "lora": "LoRA",
        "loha": "LoHa",
        "lokr": "LoKr",
        "oft": "OFT",
        "glora": "GLoRA",
        "ia3": "IA3",
        "peft": "PEFT",
    }
    return " and ".join(names.get(kind, kind) for kind in sorted(kinds))


def _other_network(held: frozenset[str]) -> str:
    if "peft" in held:
        return "Convert it to sd-scripts' own names first."
    lycoris = next((algo for algo, kind in reversed(_ALGOS.items()) if kind in held), None)
    return (
        f'Use network_module = "lycoris.kohya" with algo = "{lycoris}".'
        if lycoris
        else "Use the network it was made with."
    )
