"""What several rules ask of a run: what was set, what it trains on, how its script trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from launcher.plan.blueprint import Kind
from launcher.plan.checks.candidate import Candidate
from launcher.trainer.source_text import Evidence

# The dataset parameters that the script's own options give where no dataset config does
# (library/config_util.py, BlueprintGenerator.generate).
_SUBSET = (
    "shuffle_caption", "keep_tokens", "keep_tokens_separator", "caption_separator", "secondary_separator",
    "enable_wildcard", "caption_prefix", "caption_suffix", "caption_dropout_rate", "caption_dropout_every_n_epochs",
    "caption_tag_dropout_rate", "token_warmup_min", "token_warmup_step", "random_crop", "color_aug",
    "face_crop_aug_range", "alpha_mask",
)  # fmt: skip
_DATASET = ("enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale")
# Some scripts carry the call along in a comment.
_SDXL = Evidence("{script}", "", (r"(?<!# )(?<!#)\bsdxl_train_util\.verify_sdxl_training_args\(",))
_FLOW = Evidence("{script}", "get_noise_scheduler", (r"FlowMatchEulerDiscreteScheduler\(",))


@dataclass(frozen=True)
class Part:
    """A subset of the pictures with its dataset, every parameter decided.

    `where` is its place, if it has one, and `places` those of parameters that are not left at their defaults.
    """

    kind: Kind
    dataset: Mapping[str, Any]
    params: Mapping[str, Any]
    where: str | None = None
    places: Mapping[str, str] = field(default_factory=dict)

    def place(self, key: str) -> str | None:
        """Where a parameter stands: "config.toml:3"."""
        return self.places.get(key, self.where)

    def at(self, candidate: Candidate, key: str) -> str:
        """The same as a part of a message: " (config.toml:3)"; empty when the option says it."""
        place = self.place(key)
        return f" ({place})" if place and place != candidate.where(key) else ""

    def says(self, candidate: Candidate, key: str) -> str:
        """A parameter with its value and place, as the head of a message: "shuffle_caption is on (config.toml:3)"."""
        value = self.params.get(key)
        return f"{key} is {'on' if value is True else repr(value)}{self.at(candidate, key)}"


def parts_of(candidate: Candidate) -> tuple[Part, ...]:
    """What the run trains on, subset by subset; nothing when that is not known."""
    if candidate.value("dataset_class"):
        return ()
    if candidate.blueprint:
        return tuple(
            Part(dataset.kind, dataset.params, subset.params, subset.where, {**dataset.places, **subset.places})
            for dataset in candidate.blueprint.datasets
            for subset in dataset.subsets
        )
    if "dataset_config" in candidate.files or candidate.value("dataset_config"):
        return ()  # there is one, and it could not be understood
    kind = Kind.FINETUNING if candidate.value("in_json") else Kind.DREAMBOOTH
    dataset = {name: candidate.value(name) for name in _DATASET}
    dataset["resolution"] = _resolution(candidate.value("resolution"))
    return (Part(kind, dataset, {name: candidate.value(name) for name in _SUBSET}),)


def parts_with(candidate: Candidate, key: str) -> Iterator[Part]:
    """The parts whose subset parameter is on: a true switch, a text, a number above nothing."""
    return (part for part in parts_of(candidate) if is_on(part.params.get(key)))


def is_on(value: Any) -> bool:
    """Whether a value does anything: not for false, nothing, an empty text and numbers of 0 or less."""
    if isinstance(value, (int, float)):
        return value > 0
    return bool(value)


def number(value: Any) -> float:
    """A number as it is; 0 for everything else."""
    return float(value) if isinstance(value, (int, float)) else 0.0


def differs(candidate: Candidate, option: str) -> bool:
    """Whether somebody set the option to something else than it is anyway."""
    chosen = candidate.chosen(option)
    if chosen is None:
        return False
    value = candidate.value(option)
    return value is not None and value is not False and value != chosen.option.default


def those_set(candidate: Candidate, *options: str) -> list[str]:
    """Those of the options that somebody set to something else than they are anyway."""
    return [option for option in options if differs(candidate, option)]


def are(names: list[str]) -> str:
    """The verb for a list of names."""
    return "is" if len(names) == 1 else "are"


def trains_flow(candidate: Candidate) -> bool:
    """Whether the script trains a flow-matching model: FLUX, SD3, Lumina, HunyuanImage, Anima."""
    return candidate.says(_FLOW)


def trains_sdxl(candidate: Candidate) -> bool:
    """Whether the script puts its options to SDXL's own checks."""
    return candidate.says(_SDXL)


def caches_latents(candidate: Candidate) -> bool:
    """Whether latents are cached; caching them to disk turns that on where verify_training_args does so."""
    sets = Evidence("library/train_util.py", "verify_training_args", (r"args\.cache_latents = True",))
    return bool(candidate.value("cache_latents")) or (
        bool(candidate.value("cache_latents_to_disk")) and candidate.says(sets)
    )


def caches_text(candidate: Candidate) -> bool:
    """Whether the text encoder's outputs are cached; caching them to disk turns that on where the script does so."""
    if candidate.value("cache_text_encoder_outputs"):
        return True
    pattern = r"args\.cache_text_encoder_outputs = True"
    sets = (
        Evidence("{script}", "assert_extra_args", (pattern,)),
        Evidence("library/sdxl_train_util.py", "verify_sdxl_training_args", (pattern,)),
    )
    to_disk = bool(candidate.value("cache_text_encoder_outputs_to_disk"))
    return to_disk and any(candidate.says(each) for each in sets)


def sampler_of(candidate: Candidate) -> str | None:
    """The library file of get_noisy_model_input_and_timesteps, with which a flow-matching script draws timesteps."""
    for name in ("flux_train_utils", "sd3_train_utils", "lumina_train_util", "anima_train_utils"):
        call = rf"\b{name}\.get_noisy_model_input_and_timesteps\("
        if candidate.says(Evidence("{script}", "get_noise_pred_and_target", (call,))):
            return f"library/{name}.py"
    return None


def samples_with(candidate: Candidate, test: Callable[[str], bool]) -> bool:
    """Whether the text of a flow-matching script's sampling function, from its head to its end, passes a test."""
    file = sampler_of(candidate)
    text = candidate.source.function(file, "get_noisy_model_input_and_timesteps") if file else ""
    return bool(text) and test(text)


def _resolution(text: Any) -> tuple[int, ...] | None:
    """The option's text as (width, height) (library/train_util.py, prepare_dataset_args); None for anything odd."""
    sides = [side.strip() for side in str(text).split(",")]
    if not all(side.isascii() and side.isdigit() and len(side) < 7 for side in sides) or len(sides) > 2:
        return None
    return (int(sides[0]), int(sides[-1]))
