"""For each template a sound spec that says no more than its first lines ask for: nothing is to be said about it.

`{models}` is the folder of model files, `{here}` the one that holds the spec.
"""

from __future__ import annotations

from collections.abc import Mapping

from data_files import photographs
from mistake import CONFIG, PROMPTS
from sound_specs import DATA, DATA_1024, FLOW_DATA, PROMPTS_1024, Files, Sound

_FLOW: Files = {**FLOW_DATA, PROMPTS: PROMPTS_1024}
_PLAIN: Files = {**DATA, CONFIG: str(DATA[CONFIG]).replace("shuffle_caption = true\nkeep_tokens = 1\n", "")}
_LETTER = 'drop = ["network_args.block_dims", "network_args.block_alphas", "network_args.rank_dropout_scale"]\n'


def _files(**options: str) -> str:
    return "".join(f'{option} = "{{models}}/{file}"\n' for option, file in options.items())


def _template(template: str, model: str, files: Files, more: str = "", *, run: str = "", modules: str = "") -> Sound:
    """A spec that extends a template and says which model it trains, with what else the template asks for."""
    own = run or 'dataset_folder = "data"\n'
    spec = f'extends = "{template}"\n[run]\n{own}[model]\npretrained_model_name_or_path = "{{models}}/{model}"\n{more}'
    return Sound(f"as-{template}", spec, files, modules=tuple(modules.split()))


# By the template's name.
TEMPLATES: Mapping[str, Sound] = {
    "sd15-lora": _template("sd15-lora", "sd1.safetensors", DATA),
    "sd15-locon": _template("sd15-locon", "sd1.safetensors", DATA),
    "sdxl-lora": _template("sdxl-lora", "sdxl.safetensors", _FLOW),
    "sdxl-locon": _template("sdxl-locon", "sdxl.safetensors", DATA_1024),
    "sdxl-lokr": _template("sdxl-lokr", "sdxl.safetensors", _FLOW),
    "pony-locon": _template("pony-locon", "diffusers-sdxl", DATA_1024),
    "pony-locon-guide": _template(
        "pony-locon-guide",
        "diffusers-sdxl",
        {**photographs("train/10_fox", 1024, 40), PROMPTS: PROMPTS_1024},
        'train_data_dir = "train"\n',
        run=f'dataset_folder = "data"\n{_LETTER}',
    ),
    "illustrious-lora": _template("illustrious-lora", "sdxl.safetensors", DATA_1024),
    "noob-locon": _template("noob-locon", "sdxl-v.safetensors", DATA_1024),
    "flux-lora": _template(
        "flux-lora",
        "flux.safetensors",
        _FLOW,
        _files(clip_l="clip.safetensors", t5xxl="t5.safetensors", ae="ae.safetensors"),
    ),
    "sd3-lora": _template(
        "sd3-lora",
        "sd3.safetensors",
        _FLOW,
        _files(clip_l="clip.safetensors", clip_g="clip.safetensors", t5xxl="t5.safetensors"),
    ),
    "lumina-lora": _template(
        "lumina-lora", "lumina.safetensors", _FLOW, _files(gemma2="gemma2.safetensors", ae="ae.safetensors")
    ),
    "anima-lora": _template(
        "anima-lora", "anima.safetensors", _FLOW, _files(qwen3="gemma2.safetensors", vae="ae.safetensors")
    ),
    "sdxl-finetune": _template("sdxl-finetune", "sdxl.safetensors", _FLOW, modules="transformers"),
    "textual-inversion": _template(
        "textual-inversion", "sd1.safetensors", _PLAIN, 'token_string = "sksfox"\ninit_word = "fox"\n'
    ),
}
