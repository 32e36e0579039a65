"""Runs in the training environment: builds datasets with sd-scripts' own code and prints what came out, as JSON.

    python survey_truth.py CHECKOUT < configs.json

Reads a list of dataset configs; prints one result each: the datasets, or the error that was raised. The pictures of
small ones are loaded, too.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from typing import Any


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    configs = json.load(sys.stdin)
    from library import config_util, strategy_base, strategy_sd, train_util  # type: ignore[import-not-found]

    logging.disable(logging.WARNING)
    strategy_base.LatentsCachingStrategy.set_strategy(strategy_sd.SdSdxlLatentsCachingStrategy(True, False, 1, False))
    results = []
    for config in configs:
        try:
            sanitizer = config_util.ConfigSanitizer(True, True, True, True)
            blueprint = config_util.BlueprintGenerator(sanitizer).generate(config, argparse.Namespace())
            group, _ = config_util.generate_dataset_group_by_blueprint(blueprint.dataset_group)
            for info in [] if len(group.image_data) > 50 else group.image_data.values():
                train_util.load_image(info.absolute_path)
            results.append({"batches": len(group), "datasets": [_dataset(each) for each in group.datasets]})
        except Exception as error:
            results.append({"error": f"{type(error).__name__}: {error}"})
    print("RESULT" + json.dumps(results))


def _dataset(dataset: Any) -> dict[str, Any]:
    inner = getattr(dataset, "dreambooth_dataset_delegate", dataset)
    info = inner.bucket_info or {}
    return {
        "images": inner.num_train_images,
        "reg_images": inner.num_reg_images,
        "batches": len(inner),
        "mean_error": info.get("mean_img_ar_error"),
        "buckets": [[*each["resolution"], each["count"]] for each in info.get("buckets", {}).values()],
        "pictures": {
            each.absolute_path: [list(each.bucket_reso), list(each.resized_size), each.num_repeats, each.caption]
            for each in inner.image_data.values()
        },
        "tags": inner.tag_frequency,
    }


if __name__ == "__main__":
    main()
