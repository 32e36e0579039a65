"""A new spec: which template fits a base model, what it needs besides, and its text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.base.settings import Value
from launcher.data.model_family import Family, Model
from launcher.plan.tables import OWN_TABLES, RUN
from launcher.spec.load import load_spec
from launcher.spec.names import RunName
from launcher.spec.templates import Template

MODEL = "pretrained_model_name_or_path"
SCHEMA = "kl.schema.json"
_COLUMN, _LONGEST = 43, 120  # where a comment begins, and where it has to end
_FAMILIES = {
    Family.SD1: "sd15-lora", Family.SDXL: "sdxl-lora", Family.SD3: "sd3-lora", Family.FLUX: "flux-lora",
    Family.CHROMA: "flux-lora", Family.LUMINA: "lumina-lora", Family.ANIMA: "anima-lora",
}  # fmt: skip
# What people call models made from SDXL that want something else than SDXL itself, in names of files.
_NAMED = (
    (re.compile(r"noob|illustrious|illu(?:xl|_|-)", re.IGNORECASE), "illustrious-lora"),
    (re.compile(r"pony", re.IGNORECASE), "pony-locon"),
)
_PARTS = {
    "flux_": ("clip_l", "t5xxl", "ae"),
    "sd3_": ("clip_l", "clip_g", "t5xxl"),
    "lumina_": ("gemma2", "ae"),
    "anima_": ("qwen3", "vae"),
}
# How the names of their training scripts begin; those of SD 1 and SD 2 begin with no family.
_SCRIPTS = {
    Family.SDXL: "sdxl_", Family.SD3: "sd3_", Family.FLUX: "flux_", Family.CHROMA: "flux_", Family.LUMINA: "lumina_",
    Family.ANIMA: "anima_", Family.HUNYUAN_IMAGE: "hunyuan_image_",
}  # fmt: skip
_SIDE, _OLD_SIDE = 1024, 512


@dataclass(frozen=True)
class Line:
    """One setting of a new spec, and why it is there."""

    table: str
    key: str
    value: Value
    why: str = ""


@dataclass(frozen=True)
class Recipe:
    """A template with what it sets: options by their names, kl's own keys as `run.script`."""

    template: Template
    sets: Mapping[str, Value]

    @property
    def script(self) -> str:
        """The training script's file name; "" where the template names none."""
        return str(self.sets.get(f"{RUN}.script") or "")

    @property
    def side(self) -> int:
        """The side in pixels of the squares that the models of its script were trained on."""
        return _SIDE if self.script.startswith(tuple(_SCRIPTS.values())) else _OLD_SIDE

    @property
    def is_inversion(self) -> bool:
        """Whether it trains a new word."""
        return "textual_inversion" in self.script

    @property
    def is_flow(self) -> bool:
        """Whether its models learn flows: they draw by guidance, without a negative prompt."""
        return self.script.startswith(tuple(_PARTS))

    def number(self, option: str, default: int) -> int:
        """A whole number that the template sets."""
        value = self.sets.get(option)
        return value if isinstance(value, int) and not isinstance(value, bool) else default


def read_recipe(template: Template, name: RunName, folders: Sequence[Path]) -> Recipe:
    """What a template sets, with all that it extends. Raises KlError (spec refused) where it cannot be read."""
    sets: dict[str, Value] = {}
    for setting in load_spec(template.path.absolute(), name, template_folders=folders).settings:
        own = bool(setting.table) and setting.table[0] in OWN_TABLES
        sets[setting.path if own else setting.key] = setting.value
    return Recipe(template, sets)


def template_for(model: Model, path: Path) -> str | None:
    """The name of the template that fits a base model; None where kl has none, or the model is not known."""
    if model.family is Family.SDXL:
        if model.v_prediction:
            return "noob-locon"
        named = (template for pattern, template in _NAMED if pattern.search(path.name))
        return next(named, _FAMILIES[Family.SDXL])
    return _FAMILIES.get(model.family) if model.family else None


def is_for(recipe: Recipe, model: Model) -> bool:
    """Whether a template trains models of this family, as far as both are known. One for a new word goes with two."""
    if not recipe.script or model.family is None or (recipe.is_inversion and model.family in (Family.SD1, Family.SDXL)):
        return True
    start = _SCRIPTS.get(model.family)
    if start:
        return recipe.script.startswith(start)
    return model.family not in (Family.SD1, Family.SD2) or not recipe.script.startswith(tuple(_SCRIPTS.values()))


def parts_of(recipe: Recipe, model: Model | None) -> tuple[str, ...]:
    """The options for the other files that a run of this template needs."""
    wanted = next((parts for start, parts in _PARTS.items() if recipe.script.startswith(start)), ())
    chroma = model is not None and model.family is Family.CHROMA
    return tuple(part for part in wanted if part not in recipe.sets and not (chroma and part == "clip_l"))


def lines_for(recipe: Recipe, model: Model | None, word: str) -> Iterator[Line]:
    """What has to be said besides, for a template that was made for a near relative of the model. `word`: a new one."""
    if model is not None and model.family is Family.CHROMA:
        yield Line("model", "model_type", "chroma", "without it the trainer takes it for FLUX.1")
        yield Line("model", "guidance_scale", 0.0, "Chroma is not distilled, and takes no guidance")
        yield Line("model", "timestep_sampling", "sigmoid", "as Chroma was trained")
        yield Line("model", "apply_t5_attn_mask", True, "Chroma asks for it")
    if recipe.is_inversion:
        if model is not None and model.family is Family.SDXL and not recipe.script.startswith("sdxl_"):
            yield Line(RUN, "script", f"sdxl_{recipe.script}")
            yield Line("model", "no_half_vae", True, "SDXL's own VAE makes black pictures in half precision")
        if "token_string" not in recipe.sets:
            yield Line("word", "token_string", word, "the new word; the trained file's own name is what prompts say")


def drops_for(recipe: Recipe, model: Model | None) -> tuple[str, ...]:
    """What the template sets and this spec has to leave out: pictures of its own, and what Chroma does not use."""
    drops = [option for option in ("train_data_dir", "reg_data_dir", "in_json") if option in recipe.sets]
    if model is not None and model.family is Family.CHROMA and "discrete_flow_shift" in recipe.sets:
        drops.append("discrete_flow_shift")
    return tuple(drops)


def spec_text(head: str, recipe: Recipe, lines: Sequence[Line], *, yaml: bool, schema: str | None) -> str:
    """The text of a spec that extends the template: `head` is its first comment, `schema` the path of one, if any."""
    said = [_for_editors(schema, yaml)] if schema else []
    said += [f"# {head}", "", _setting(Line("", "extends", recipe.template.name, recipe.template.purpose), yaml, "")]
    for table in dict.fromkeys(line.table for line in lines):
        said += ["", f"{table}:" if yaml else f"[{table}]"]
        said += [_setting(line, yaml, "  " if yaml else "") for line in lines if line.table == table]
    return "\n".join(said) + "\n"


def schema_for(spec: Path, folders: Sequence[Path]) -> str | None:
    """How a spec names the schema that `kl schema` wrote beside it, or in one of these folders; None without one."""
    if (spec.parent / SCHEMA).is_file():
        return f"./{SCHEMA}"
    return next((str(folder / SCHEMA) for folder in folders if (folder / SCHEMA).is_file()), None)


def _for_editors(schema: str, yaml: bool) -> str:
    return f"# yaml-language-server: $schema={schema}" if yaml else f"#:schema {schema}"


def _setting(line: Line, yaml: bool, indent: str) -> str:
    # A text, number, switch or list of JSON is one of TOML and of YAML too.
    text = f"{indent}{line.key}{': ' if yaml else ' = '}{json.dumps(line.value, ensure_ascii=False)}"
    whole = f"{text:<{_COLUMN}}# {line.why}"
    return whole if line.why and len(whole) <= _LONGEST else text
