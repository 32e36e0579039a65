"""Which options hold paths, and what a path in a spec means."""

from __future__ import annotations

from pathlib import Path

from launcher.base.settings import Setting, Value
from launcher.plan.tables import base_folder
from launcher.spec.paths import expand, looks_like_hub_id
from launcher.trainer.options import Option

# Options of sd-scripts, v0.5 to today, that hold paths and whose names do not say so.
_PATHS = {
    "ae", "base_weights", "byt5", "clip_g", "clip_l", "conditioning_data_dir", "console_log_file", "dataset_config",
    "embeddings", "gemma2", "in_json", "log_tracker_config", "network_weights", "pretrained_model_name_or_path",
    "qwen3", "resume", "sample_prompts", "t5xxl", "text_encoder", "vae", "weights",
}  # fmt: skip
_SUFFIXES = ("_dir", "_path", "_name_or_path", "_file")
RESUME_FROM_HUB = "resume_from_huggingface"  # then `resume` is OWNER/REPOSITORY/FOLDER:REVISION:TYPE, no path
_NOT_LOCAL = {"huggingface_path_in_repo"}
# These may also be a repository on the hub, or in the trainer's own words a name (library/model_util.py,
# library/train_util.py: _load_target_model reads a folder or a hub id where the path is no file).
_MAY_BE_ON_HUB = ("vae", "_name_or_path", "text_encoder", "_tokenizer_path")


def is_path(option: Option) -> bool:
    """Whether the option's value names a file or folder."""
    return option.name not in _NOT_LOCAL and (option.name in _PATHS or option.name.endswith(_SUFFIXES))


def may_be_on_hub(name: str) -> bool:
    """Whether the option of this name also takes a repository on the hub."""
    return name.endswith(_MAY_BE_ON_HUB)


def with_whole_paths(option: Option, setting: Setting) -> Value:
    """The setting's value with every path in it absolute; a hub id stays as it is.

    Raises KlError (spec refused) for a variable that is not set.
    """
    value = setting.value
    if isinstance(value, list):
        return [_whole(option, item, setting) for item in value]
    return _whole(option, value, setting)


def _whole(option: Option, value: Value, setting: Setting) -> Value:
    if not isinstance(value, str) or not value:
        return value
    if value.startswith("/") and "$" not in value:
        return value  # whole already: passed on to the letter
    whole = expand(value, base_folder(setting), origin=setting.origin)
    if may_be_on_hub(option.name) and _not_here(whole) and (looks_like_hub_id(value) or _bare(value)):
        return value
    if option.name == "resume" and looks_like_hub_id(value) and _not_here(whole):
        return value  # with --resume_from_huggingface it names a repository
    return whole


def _not_here(path: str) -> bool:
    try:
        return not Path(path).exists()
    except OSError:
        return True


def _bare(value: str) -> bool:
    """A single word, such as a model that the trainer knows by name."""
    return "/" not in value and "." not in value and not value.startswith(("~", "$"))
