"""kl's verdict on dataset configs against that of a real checkout: its sanitizer, its blueprints, its datasets.

One interpreter answers all the questions of a test, for it takes half a minute to start.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from real_bed import CHECKOUT, PYTHON, needs, site_packages

sys.path.insert(0, str(Path(__file__).parents[1] / "plan"))

from candidate_bed import real_candidate

from launcher.plan.checks.dataset_config import check_dataset_config
from launcher.plan.checks.dataset_problems import find_problems
from launcher.plan.read_blueprint import read_blueprint
from launcher.trainer.dataset_schema import for_script, read_dataset_schema

SUPPORTS = ("support_dreambooth", "support_finetuning", "support_controlnet", "support_dropout")
BASE = 'pretrained_model_name_or_path = "owner/model"\nnetwork_module = "networks.lora"\n'
CASES = 3000

pytestmark = needs(CHECKOUT, PYTHON)


def _asked(questions: Sequence[dict[str, Any]]) -> list[Any]:
    done = subprocess.run(
        [str(PYTHON), str(Path(__file__).with_name("dataset_truth.py"))],
        input=json.dumps(questions), cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answers: list[Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answers


def _values(rng: random.Random) -> Any:
    return rng.choice([
        True, False, 0, 1, 512, -3, 0.0, 0.5, 2.0, "", "text", "512", None, [], [1, 2], [1.0, 2.0], [1, 2.0], [512],
        [True, 4], ["a", "b"], {}, {"a": 1}, [1, 2, 3], [[1, 2]], 10**30,
    ])  # fmt: skip


_RIGHT = {
    "bool": (True, False), "int": (1, 64, True), "float": (0.5, 1.0), "str": ("a", ""), "dict": ({}, {"k": [1]}),
    "one-or-pair": (512, [512, 768], True), "pair": ([1.0, 2.0],), "any": (1, 0.5), "unread": ([],),
}  # fmt: skip


class _Configs:
    """Random configs, most of them nearly right: otherwise all would be refused for the same reasons."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311
        self.schema = read_dataset_schema(CHECKOUT)
        self.names = sorted({key for group in self.schema.groups.values() for key in group} | {"foo", "subsets"})

    def supports(self) -> list[bool]:
        while True:
            flags = [self.rng.random() < share for share in (0.7, 0.7, 0.5, 0.6)]
            if any(flags[:3]):
                return flags

    def config(self, supports: Sequence[bool]) -> Any:
        schema = for_script(self.schema, dict(zip(SUPPORTS, supports, strict=True)))
        assert schema is not None
        rng = self.rng
        if rng.random() < 0.02:
            return _values(rng)
        config: dict[str, Any] = {}
        if rng.random() < 0.6:
            config["general"] = self._table(schema.general)
        if rng.random() < 0.95:
            config["datasets"] = [self._dataset(rng.choice(schema.kinds)) for _ in range(rng.randrange(3))]
        if rng.random() < 0.05:
            config[rng.choice(["general", "datasets", "resolution", "dataset"])] = _values(rng)
        return config

    def _dataset(self, kind: Any) -> Any:
        rng = self.rng
        if rng.random() < 0.02:
            return _values(rng)
        dataset = self._table({key: value for key, value in kind.dataset.items() if key != "subsets"})
        if rng.random() < 0.95:
            dataset["subsets"] = [self._subset(kind.subset) for _ in range(rng.randrange(3))]
        return dataset

    def _subset(self, keys: Any) -> Any:
        rng = self.rng
        table = self._table(keys)
        for key, entry in keys.items():
            if entry.required and rng.random() < 0.93:
                table[key] = "a"
        if rng.random() < 0.05:
            table[rng.choice(["metadata_file", "conditioning_data_dir", "image_dir"])] = "a"
        return table if rng.random() > 0.01 else _values(rng)

    def _table(self, keys: Any) -> dict[str, Any]:
        rng = self.rng
        chosen = rng.sample(sorted(keys), min(len(keys), rng.randrange(4)))
        table: dict[str, Any] = {key: rng.choice(_RIGHT[keys[key].wanted.kind]) for key in chosen}
        if rng.random() < 0.06:
            table[rng.choice(self.names)] = _values(rng)
        return table


def test_the_verdict_is_that_of_voluptuous() -> None:
    made = _Configs(20240917)
    questions: list[dict[str, Any]] = []
    for _ in range(CASES):
        supports = made.supports()
        questions.append({"ask": "verdict", "supports": supports, "config": made.config(supports)})
    answers = _asked(questions)
    taken = 0
    for question, answer in zip(questions, answers, strict=True):
        schema = for_script(made.schema, dict(zip(SUPPORTS, question["supports"], strict=True)))
        assert schema is not None
        config = json.loads(json.dumps(question["config"]))
        refused = [problem for problem in find_problems(config, schema) if problem.refused]
        assert bool(refused) == (answer != "ok"), (question, answer, refused)
        taken += answer == "ok"
    assert CASES * 0.2 < taken < CASES * 0.8  # both verdicts were really compared


def _candidate(folder: Path, spec: str, config: str | None, name: str) -> Any:
    place = folder / name
    place.mkdir()
    if config is not None:
        (place / "data.toml").write_text(config, encoding="utf-8")
        spec = 'dataset_config = "data.toml"\n' + spec
    return place, real_candidate(place, BASE + spec, CHECKOUT, [site_packages()])


def _argv(place: Path, candidate: Any) -> list[str]:
    words: list[str] = []
    for chosen in candidate.resolved.chosen:
        name, value = chosen.option.name, chosen.setting.value
        if value is True:
            words.append(f"--{name}")
        elif value is not False:
            whole = name in ("dataset_config", "train_data_dir", "reg_data_dir", "in_json")
            words.append(f"--{name}={place / str(value) if whole else value}")
    return words


SUBSET = "[[datasets.subsets]]\nimage_dir = '/data/a'\n"
BLUEPRINTS = {
    "plain": ("", f"[[datasets]]\nresolution = 512\n{SUBSET}"),
    "options": (
        'resolution = "640,512"\ntrain_batch_size = 3\nshuffle_caption = true\nkeep_tokens = 2\ndataset_repeats = 4\n'
        'caption_extension = ".txt"\nface_crop_aug_range = "1.0,2.5"\nprior_loss_weight = 0.5\nenable_bucket = true\n'
        'caption_dropout_rate = 0.1\nalpha_mask = true\nresize_interpolation = "area"\nvalidation_split = 0.2\n',
        f"[[datasets]]\n{SUBSET}",
    ),
    "levels": (
        'resolution = "640"\nkeep_tokens = 1\ncaption_extention = ".old"\n',
        "[general]\nkeep_tokens = 2\nresolution = [768, 512]\nbatch_size = 2\nnum_repeats = 5\n"
        "[[datasets]]\nkeep_tokens = 3\nbatch_size = 4\n"
        f"{SUBSET}keep_tokens = 4\nnum_repeats = 7\n[[datasets.subsets]]\nimage_dir = 'b'\nis_reg = true\n"
        "[[datasets]]\n[[datasets.subsets]]\nmetadata_file = 'm.json'\nnum_repeats = 2\n",
    ),
    "controlnet": (
        "masked_loss = true\n",
        f"[general]\nresolution = 512\n[[datasets]]\n{SUBSET}conditioning_data_dir = 'c'\n[[datasets]]\n{SUBSET}",
    ),
    "empty": ("", f"[[datasets]]\nresolution = 512\n[[datasets]]\n{SUBSET}"),
    "folders": ('train_data_dir = "img"\nreg_data_dir = "reg"\nresolution = "512"\n', None),
    "metadata": ('train_data_dir = "img"\nin_json = "m.json"\nresolution = "512"\n', None),
}


def _folders(place: Path) -> None:
    for name in ("img/10_fox", "img/ 3_two words", "img/nothing", "img/0_none", "img/7", "img/+2_b_c", "reg/1_fox"):
        (place / name).mkdir(parents=True)


def test_blueprints_are_those_of_the_trainer(tmp_path: Path) -> None:
    questions, mine = [], []
    for name, (spec, config) in BLUEPRINTS.items():
        place, candidate = _candidate(tmp_path, spec, config, name)
        _folders(place)
        supports = [True, True, "masked_loss" in spec, True]
        questions.append({"ask": "blueprint", "supports": supports, "argv": _argv(place, candidate)})
        blueprint, _ = read_blueprint(candidate)
        assert blueprint is not None, name
        mine.append(blueprint)
    for name, blueprint, theirs in zip(BLUEPRINTS, mine, _asked(questions), strict=True):
        assert len(blueprint.datasets) == len(theirs), name
        for dataset, real in zip(blueprint.datasets, theirs, strict=True):
            assert json.loads(json.dumps(dataset.params)) == real["params"], name
            kind = "controlnet" if real["is_controlnet"] else "dreambooth" if real["is_dreambooth"] else "finetuning"
            assert dataset.kind.value == kind, name
            got = [json.loads(json.dumps(subset.params)) for subset in dataset.subsets]
            for params in real["subsets"]:
                for key in ("image_dir", "metadata_file", "conditioning_data_dir"):
                    if params.get(key):
                        params[key] = str(CHECKOUT / params[key])
            by_folder = sorted(real["subsets"], key=lambda params: str(params["image_dir"]))
            assert sorted(got, key=lambda params: str(params["image_dir"])) == by_folder, name


ONE = "[[datasets]]\nresolution = 64\n[[datasets.subsets]]\nimage_dir = 'IMG'\n"
WITH_BUCKETS = "[[datasets]]\nresolution = 512\nenable_bucket = true\n{}[[datasets.subsets]]\nimage_dir = 'IMG'\n"
# What is written, kl's codes, and the trainer's answer: an error, or how many batches there are.
OUTCOMES: dict[str, tuple[str, list[str], str | int]] = {
    "sound": (ONE, [], 2),
    "no-resolution": (ONE.replace("resolution = 64\n", ""), ["dataset-resolution"], "AssertionError"),
    "zero-resolution": (ONE.replace("64", "0"), ["dataset-resolution"], "ZeroDivisionError"),
    "no-datasets": ("[general]\nresolution = 64\n", ["dataset-empty"], "AssertionError"),
    "no-subsets": ("[[datasets]]\nresolution = 64\n", ["dataset-empty"], 0),
    "no-repeats": (ONE + "num_repeats = 0\n", ["dataset-empty"], 0),
    "twice": (ONE + "[[datasets.subsets]]\nimage_dir = 'IMG'\nnum_repeats = 9\n", ["dataset-same-subset"], 2),
    "home": (ONE.replace("IMG", "~/img"), ["dataset-path"], 0),
    "variable": (ONE.replace("IMG", "$HOME/img"), ["dataset-path"], 0),
    "only-reg": (ONE + "is_reg = true\n", ["dataset-only-regularization"], 0),
    "batch-0": (ONE.replace("64\n", "64\nbatch_size = 0\n"), ["dataset-batch-size"], "ZeroDivisionError"),
    "batch-below": (ONE.replace("64\n", "64\nbatch_size = -1\n"), ["dataset-batch-size"], 0),
    "resize": (
        ONE.replace("64\n", "64\nresize_interpolation = 'lanczo'\n"), ["dataset-interpolation"], "AssertionError",
    ),
    "buckets": (WITH_BUCKETS.format(""), [], 2),
    "above": (WITH_BUCKETS.format("max_bucket_reso = 384\n"), ["dataset-bucket-range"], "AssertionError"),
    "above-by-default": (WITH_BUCKETS.format("").replace("512", "1536"), ["dataset-bucket-range"], "AssertionError"),
    "below": (WITH_BUCKETS.format("min_bucket_reso = 640\n"), ["dataset-bucket-range"], "AssertionError"),
    "adjusted": (
        WITH_BUCKETS.format("min_bucket_reso = 300\nmax_bucket_reso = 1000\n"), ["dataset-bucket-range"] * 2, 2,
    ),
    "saved-by-adjusting": (
        WITH_BUCKETS.format("min_bucket_reso = 513\n"), ["dataset-bucket-range"], 2,
    ),
    "steps-32": (WITH_BUCKETS.format("bucket_reso_steps = 32\n"), ["dataset-bucket-steps"], "AssertionError"),
    "steps-0": (WITH_BUCKETS.format("bucket_reso_steps = 0\n"), ["dataset-bucket-steps"], "ZeroDivisionError"),
    "split-above": (ONE.replace("64\n", "64\nvalidation_split = 1.5\n"), ["dataset-validation-split"], 1),
    "split-all": (ONE.replace("64\n", "64\nvalidation_split = 1.0\n"), ["dataset-validation-split"], 0),
    "split-below": (ONE.replace("64\n", "64\nvalidation_split = -0.5\n"), ["dataset-validation-split"], 2),
    "keep-tokens": (ONE + "keep_tokens = 2\n", ["dataset-keep-tokens"], 2),
    "true-for-one": (ONE + "num_repeats = true\n", ["dataset-wrong-type"], 2),
    "mixed": (ONE + "[[datasets.subsets]]\nmetadata_file = 'm'\n", ["dataset-mixed-kinds"], "MultipleInvalid"),
    "mixed-list": (ONE.replace("64", "[64, 64.0]"), ["dataset-broken"], "TomlDecodeError"),
    "key-twice": (ONE + "image_dir = 'b'\n", ["dataset-broken"], "TomlDecodeError"),
}  # fmt: skip


def _pictures(folder: Path) -> None:
    folder.mkdir()
    code = (
        "import sys; from PIL import Image\n"
        "for i in range(2): Image.new('RGB', (80, 64), i).save(f'{sys.argv[1]}/{i}.png')"
    )
    subprocess.run([str(PYTHON), "-c", code, str(folder)], check=True)


def test_what_is_said_of_datasets_happens(tmp_path: Path) -> None:
    _pictures(tmp_path / "img")
    questions = []
    for name, (config, expected, _) in OUTCOMES.items():
        place, candidate = _candidate(tmp_path, "", config.replace("IMG", str(tmp_path / "img")), name)
        _, found = read_blueprint(candidate)
        codes = [finding.code for finding in (*check_dataset_config(candidate), *found)]
        assert codes == expected, name
        questions.append({"ask": "datasets", "supports": [True, True, False, True], "argv": _argv(place, candidate)})
    for (name, (_, _, outcome)), answer in zip(OUTCOMES.items(), _asked(questions), strict=True):
        got = answer if isinstance(answer, str) else answer["length"]
        assert got == outcome, (name, answer)


def test_a_controlnet_dataset_is_not_cropped_at_random(tmp_path: Path) -> None:
    _pictures(tmp_path / "img")
    text = ONE.replace("IMG", str(tmp_path / "img")) + f"random_crop = true\nconditioning_data_dir = '{tmp_path}/img'\n"
    place, candidate = _candidate(tmp_path, "masked_loss = true\n", text, "crop")
    assert [finding.code for finding in read_blueprint(candidate)[1]] == ["dataset-random-crop"]
    (answer,) = _asked([{"ask": "datasets", "supports": [True, True, True, True], "argv": _argv(place, candidate)}])
    assert answer == "AssertionError"


@pytest.mark.parametrize("script", ["sdxl_train_network.py", "flux_train_network.py", "train_network.py"])
def test_a_sound_config_is_passed_in_silence(tmp_path: Path, script: str) -> None:
    spec = BASE + (
        '[general]\nenable_bucket = true\ncaption_extension = ".txt"\nshuffle_caption = true\nkeep_tokens = 1\n'
        "[[datasets]]\nresolution = 1024\nbatch_size = 4\n"
        '[[datasets.subsets]]\nimage_dir = "img"\nnum_repeats = 10\n'
    )
    candidate = real_candidate(tmp_path, spec, CHECKOUT, [], script)
    blueprint, findings = read_blueprint(candidate)
    assert [*check_dataset_config(candidate), *findings] == []
    assert blueprint is not None
    assert blueprint.datasets[0].subsets[0].places["num_repeats"].endswith("fox.toml:13")


def test_old_releases_have_fewer_keys(tmp_path: Path) -> None:
    """v0.6.6 knew neither ControlNet datasets nor caption_prefix; their text comes from the checkout's history."""
    checkout = tmp_path / "old"
    (checkout / "library").mkdir(parents=True)
    for file in ("library/config_util.py", "train_network.py"):
        shown = subprocess.run(["git", "-C", str(CHECKOUT), "show", f"v0.6.6:{file}"], capture_output=True, check=False)
        if shown.returncode:
            pytest.skip("the clone has no tag v0.6.6")
        (checkout / file).write_bytes(shown.stdout)
    schema = read_dataset_schema(checkout, cache=tmp_path / "cache")
    assert schema.supports == ("support_dreambooth", "support_finetuning", "support_dropout")
    keys = for_script(schema, dict.fromkeys(schema.supports, True))
    assert keys is not None
    config = {"datasets": [{"subsets": [{"image_dir": "a", "caption_prefix": "b", "token_warmup_min": 1}]}]}
    assert [problem.key for problem in find_problems(config, keys)] == ["caption_prefix"]
