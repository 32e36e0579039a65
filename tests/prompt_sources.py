"""The made-up trainer's functions for prompts and samples, from tables of facts, as those of trainer_sources.py are."""

from __future__ import annotations

from collections.abc import Mapping

_WHOLE, _NUMBER, _WORDS = r"(\d+)", r"([\d\.]+)", "(.+)"
# Each flag of a prompt line: what its value looks like, the key it sets, and how the value is taken.
_FLAGS = {
    "w": (_WHOLE, "width", "int(hit[1])"),
    "h": (_WHOLE, "height", "int(hit[1])"),
    "d": (_WHOLE, "seed", "int(hit[1])"),
    "s": (_WHOLE, "sample_steps", "min(max(1, int(hit[1])), 1000)"),
    "l": (_NUMBER, "scale", "float(hit[1])"),
    "g": (_NUMBER, "guidance_scale", "float(hit[1])"),
    "n": (_WORDS, "negative_prompt", "hit[1]"),
    "ss": (_WORDS, "sample_sampler", "hit[1]"),
    "cn": (_WORDS, "controlnet_image", "hit[1]"),
}
_SAMPLERS = {
    "ddim": "DDIMScheduler", "euler": "EulerDiscreteScheduler", "k_euler": "EulerDiscreteScheduler",
    "euler_a": "EulerAncestralDiscreteScheduler", "k_euler_a": "EulerAncestralDiscreteScheduler",
}  # fmt: skip
NOT_COMMENTED = ' and line[0] != "#"'  # of a line of prompts
TABLES = '{".json": json.load, ".toml": toml.load}'  # the other files of prompts
LOAD_PROMPTS = f"""
def load_prompts(file):
    with open(file, encoding="utf-8") as opened:
        for ending, read in {TABLES}.items():
            if file.endswith(ending):
                return of_table(read(opened))
        return [line_to_prompt_dict(line) for line in opened if line.strip(){NOT_COMMENTED}]

def line_to_prompt_dict(line):
    words, *flags = line.strip().split(" --")
    found = dict(prompt=words)
    for text in (words, *flags):
        take_prompt_flag(text, found)
    return found

def take_prompt_flag(text, found):
""" + "".join(
    f'    hit = re.match(r"{flag} {value}", text, re.IGNORECASE)\n    if hit:\n        found["{key}"] = {taken}\n'
    for flag, (value, key, taken) in _FLAGS.items()
)
SAMPLE_IMAGES = """
def sample_images(*args, **kwargs):
    sample_images_common(LongPromptWeightingPipeline, *args, **kwargs)

def sample_images_common(pipeline, args, epoch, steps):
    never = args.sample_every_n_steps is None and args.sample_every_n_epochs is None
    if args.sample_every_n_epochs is not None:
        due = epoch and not epoch % args.sample_every_n_epochs
    else:
        due = not never and not steps % args.sample_every_n_steps
    if due and os.path.isfile(args.sample_prompts):
        with state.split_between_processes(load_prompts(args.sample_prompts)) as own:
            for prompt_dict in own:
                sample_image_inference(pipeline, args, prompt_dict)

def get_my_scheduler(sample_sampler):
""" + "".join(
    f'    if sample_sampler == "{sampler}":\n        return {scheduler}\n' for sampler, scheduler in _SAMPLERS.items()
)
PIPELINE = """
import re

_weights = re.compile(r":([+-]?[.\\d]+)\\)")

def parse_prompt_attention(text):
    multiply(float(weight))

class LongPromptWeightingPipeline:
    def __call__(self, prompt, max_embeddings_multiples: Optional[int] = 3):
        pass
"""


def drawing(keys: Mapping[str, object], multiple: int, *more: str) -> str:
    """sample_image_inference: it looks up `keys`, each with its default, and makes sizes a multiple of a number."""
    defaults = {key: "" if default is None else f", {default!r}" for key, default in keys.items()}
    lines = [f'    {key}=prompt_dict.get("{key}"{default}),' for key, default in defaults.items()]
    lines = ["drawn = Picture(", *lines, ")", "width, height, seed = drawn.size_and_seed()"]
    lines += [f"drawn.{side} = max(64, {side} - {side} % {multiple})" for side in ("width", "height")]
    body = "".join(f"    {line}\n" for line in (*lines, *more))
    return f"\ndef sample_image_inference(pipeline, args, prompt_dict):\n{body}"


# That of sd-scripts' library/train_util.py.
DRAWS = drawing(
    {
        "controlnet_image": None, "height": 512, "negative_prompt": None, "prompt": "", "sample_steps": 30,
        "scale": 7.5, "seed": None, "width": 512,
    },
    8,
    "controlnet_image = drawn.controlnet_image",
    "drawn.controls = Image.open(controlnet_image)",
    'drawn.scheduler = get_my_scheduler(prompt_dict.get("sample_sampler", args.sample_sampler))',
)  # fmt: skip
