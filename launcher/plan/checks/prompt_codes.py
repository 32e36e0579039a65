"""The kinds of findings about a single sample prompt."""

from __future__ import annotations

from launcher.base.findings import Code, Severity

_LINE = "library/train_util.py, line_to_prompt_dict (sample_images in releases before 0.8)"
_DRAW = "library/train_util.py and the other families' modules, sample_image_inference"

FLAG_UNKNOWN = Code(
    "prompt-flag-unknown",
    Severity.ERROR,
    'What stands behind " --" in a prompt line is either one of the trainer\'s flags or dropped without a word.',
    _LINE,
)
FLAG_VALUE = Code(
    "prompt-flag-value",
    Severity.ERROR,
    "A flag takes one blank and its value, and numbers in plain digits. The trainer drops a flag with anything else, "
    "and whatever follows the value, without a word.",
    _LINE,
)
FLAG_TWICE = Code(
    "prompt-flag-twice",
    Severity.ERROR,
    "Of a flag that stands twice in one line the trainer takes the last.",
    _LINE,
)
FLAG_IN_TEXT = Code(
    "prompt-flag-in-text",
    Severity.WARNING,
    "A flag begins with a blank and two dashes; written otherwise it stays in the prompt as words.",
    _LINE,
)
FLAG_IN_TABLE = Code(
    "prompt-flag-in-table",
    Severity.ERROR,
    "Flags are read in prompt lines only. In a table they stay in the prompt as words.",
    _LINE,
)
READ_AS_FLAG = Code(
    "prompt-read-as-flag",
    Severity.WARNING,
    "The trainer looks for flags in the prompt itself too, as if it followed two dashes.",
    _LINE,
)
NOT_USED = Code(
    "prompt-flag-unused",
    Severity.WARNING,
    "The trainer reads the flag or key for other kinds of models; this script draws its samples without it.",
    _DRAW,
)
KEY_UNKNOWN = Code(
    "prompt-key-unknown",
    Severity.ERROR,
    "The trainer looks up the keys it knows in a prompt's table and never sees any other.",
    _DRAW,
)
WRONG_TYPE = Code(
    "prompt-wrong-type",
    Severity.ERROR,
    "The trainer computes with a prompt's values as they are, and ends with an error at the first sample.",
    _DRAW,
)
VALUE_CHANGED = Code(
    "prompt-value-changed",
    Severity.WARNING,
    "The trainer rounds sizes down to what the model can draw, and brings steps between its limits, without a word.",
    _DRAW,
)
UNUSUAL = Code(
    "prompt-unusual",
    Severity.WARNING,
    "A sample of this size, or with so many steps, takes very long or does not fit into memory; so high a scale gives "
    "a burnt picture.",
    "kl",
)
SEED = Code(
    "prompt-seed",
    Severity.ERROR,
    "PyTorch takes no such seed (Lumina: none below 1), and training ends with an error at the first sample.",
    _DRAW,
)
SAMPLER = Code(
    "prompt-sampler",
    Severity.ERROR,
    "For a sampler that it does not know the trainer takes ddim without a word.",
    "library/train_util.py, get_my_scheduler",
)
IMAGE_MISSING = Code(
    "prompt-image-missing",
    Severity.ERROR,
    "The trainer opens the picture when it draws the first sample, and ends with an error if there is none.",
    _DRAW,
)
FLOW_SHIFT = Code(
    "prompt-flow-shift",
    Severity.ERROR,
    "The flow shift of a prompt line stays text, and the script computes with it: training ends with an error at the "
    "first sample.",
    "library/hunyuan_image_utils.py, get_timesteps_sigmas",
)
EMPTY = Code(
    "prompt-empty",
    Severity.WARNING,
    "Without words the trainer draws what the model makes of nothing.",
    _DRAW,
)
NEGATIVE_UNUSED = Code(
    "prompt-negative-unused",
    Severity.WARNING,
    "With a guidance scale of 1 there is no guidance, and the negative prompt has no effect.",
    _DRAW,
)
WEIGHT = Code(
    "prompt-weight",
    Severity.ERROR,
    "The trainer converts what stands between a colon and the closing bracket to a number, and ends with an error at "
    "the first sample if it is none.",
    "library/lpw_stable_diffusion.py and library/sdxl_lpw_stable_diffusion.py, parse_prompt_attention",
)
TOO_LONG = Code(
    "prompt-too-long",
    Severity.WARNING,
    "The pipeline that draws the samples takes so many tokens and leaves out the rest; only the log says so.",
    "library/lpw_stable_diffusion.py and library/sdxl_lpw_stable_diffusion.py, get_prompts_with_weights",
)
LONG = Code(
    "prompt-long",
    Severity.WARNING,
    "Captions are cut at max_token_length, 75 tokens where it is not set. Longer prompts are drawn in chunks, in a way "
    "that the network has never seen in training.",
    "library/strategy_base.py, _get_input_ids; library/lpw_stable_diffusion.py, get_weighted_text_embeddings",
)
NOT_COUNTED = Code(
    "prompt-tokens-not-counted",
    Severity.ADVICE,
    "The tokens of a prompt can be counted once the files of CLIP's tokenizer are on this machine: in "
    "tokenizer_cache_dir or in the cache of the Hugging Face hub.",
    "kl",
)
IDLE = Code(
    "prompts-idle-gpus",
    Severity.ADVICE,
    "The processes share the prompts out; those without one wait for the others.",
    "library/train_util.py, sample_images_common",
)
