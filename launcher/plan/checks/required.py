"""Options without which the trainer fails, often only after minutes of loading."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.base.findings import Finding
from launcher.plan.codes import NO_DATASET, REQUIRED
from launcher.plan.resolve import Resolved
from launcher.trainer.options import ScriptOptions

# Not required by the parser, yet the trainer fails without them.
NEEDED = {
    # library/train_util.py, _load_target_model: the path is used unconditionally.
    "pretrained_model_name_or_path": "Give the base model: a file, a folder or a hub id.",
    # train_network.py, NetworkTrainer.train: importlib.import_module(args.network_module).
    "network_module": 'Give the network: "networks.lora", "lycoris.kohya", …',
}
# One of these tells the trainer what to train on (train_network.py, train: use_user_config and what follows).
DATASETS = ("dataset_config", "train_data_dir", "in_json", "dataset_class")


def check_required(resolved: Resolved, options: ScriptOptions, *, has_dataset: bool) -> Iterator[Finding]:
    """Options that must be there. `has_dataset`: a dataset config comes from the spec or the dataset's folder."""
    for option in options.options:
        chosen = resolved.get(option.name)
        if chosen:
            if option.name in NEEDED and chosen.setting.value == "":
                message = f"{option.name} is empty, and {options.script} fails without it."
                yield REQUIRED.at(str(chosen.setting.origin), message, NEEDED[option.name])
            continue
        if option.required:
            message = f"{options.script} requires {option.name}."
            yield REQUIRED.at(None, message, f"Set {option.name} in the spec.")
        elif option.name in NEEDED:
            message = f"{option.name} is missing, and {options.script} fails without it."
            yield REQUIRED.at(None, message, NEEDED[option.name])
    if not has_dataset and not any(resolved.get(name) for name in DATASETS):
        hint = "Write [[datasets]] into the spec, give dataset_config, or put config.toml into the dataset's folder."
        yield NO_DATASET.at(None, "Nothing says which pictures to train on.", hint)
