"""Asks a checkout's own library/config_util.py about dataset configs. Run by the interpreter of a bed, in a checkout.

From stdin a list of questions in JSON, to stdout (last line) the list of answers: "ok", or the name of the error.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path.cwd()))
logging.disable(logging.CRITICAL)

from library import config_util, train_util  # type: ignore[import-not-found]  # noqa: E402


def verdict(question: dict[str, Any]) -> str:
    """Whether ConfigSanitizer takes a config."""
    try:
        config_util.ConfigSanitizer(*question["supports"]).sanitize_user_config(question["config"])
    except Exception as error:
        return type(error).__name__
    return "ok"


def blueprint(question: dict[str, Any]) -> Any:
    """What BlueprintGenerator makes of a config file, or of folders, and of a command line."""
    import train_network  # type: ignore[import-not-found]

    args = train_network.setup_parser().parse_args(question["argv"])
    train_util.prepare_dataset_args(args, True)
    made = config_util.BlueprintGenerator(config_util.ConfigSanitizer(*question["supports"])).generate(
        _config(args), args
    )
    return [
        {
            "is_dreambooth": dataset.is_dreambooth,
            "is_controlnet": dataset.is_controlnet,
            "params": vars(dataset.params),
            "subsets": [vars(subset.params) for subset in dataset.subsets],
        }
        for dataset in made.dataset_group.datasets
    ]


def datasets(question: dict[str, Any]) -> Any:
    """What the datasets made of a config hold, or the error that making them ends with."""
    import train_network

    args = train_network.setup_parser().parse_args(question["argv"])
    try:
        train_util.prepare_dataset_args(args, True)
        generator = config_util.BlueprintGenerator(config_util.ConfigSanitizer(*question["supports"]))
        made = generator.generate(_config(args), args)
        train, validation = config_util.generate_dataset_group_by_blueprint(made.dataset_group)
        if len(train):
            train.verify_bucket_reso_steps(64)
    except Exception as error:
        return type(error).__name__
    return {
        "length": len(train),
        "subsets": [[subset.image_dir for subset in dataset.subsets] for dataset in train.datasets],
        "images": [sorted(dataset.image_data) for dataset in train.datasets],
        "buckets": [[dataset.min_bucket_reso, dataset.max_bucket_reso] for dataset in train.datasets],
        "validation": None if validation is None else len(validation),
    }


def _config(args: Any) -> Any:
    if args.dataset_config is not None:
        return config_util.load_user_config(args.dataset_config)
    if args.in_json is not None:
        return {"datasets": [{"subsets": [{"image_dir": args.train_data_dir, "metadata_file": args.in_json}]}]}
    subsets = config_util.generate_dreambooth_subsets_config_by_subdirs(args.train_data_dir, args.reg_data_dir)
    return {"datasets": [{"subsets": subsets}]}


def main() -> None:
    """Answer all questions."""
    kinds = {"verdict": verdict, "blueprint": blueprint, "datasets": datasets}
    answers = [kinds[question["ask"]](question) for question in json.load(sys.stdin)]
    sys.stdout.write("\n" + json.dumps(answers, default=list) + "\n")


if __name__ == "__main__":
    main()
