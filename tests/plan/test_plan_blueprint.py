"""What a run trains on, resolved as the trainer does, and what is said of it before any picture is looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dataset_bed import SOUND as SOUND_IN_ITSELF
from dataset_bed import dataset_candidate
from dataset_sources import SOURCES, TRAIN_NETWORK, TRAIN_UTIL
from plan_bed import codes

from launcher.base.findings import Finding, Severity
from launcher.plan.blueprint import Blueprint, DatasetBlueprint, Kind
from launcher.plan.read_blueprint import read_blueprint

SOUND = SOUND_IN_ITSELF.replace("keep_tokens = 1", "shuffle_caption = true")


def _read(
    folder: Path, config: str | None, spec: str = "", **more: Any
) -> tuple[Blueprint | None, tuple[Finding, ...]]:
    return read_blueprint(dataset_candidate(folder, config, spec, **more))


def _datasets(folder: Path, config: str | None, spec: str = "", **more: Any) -> tuple[DatasetBlueprint, ...]:
    blueprint, findings = _read(folder, config, spec, **more)
    assert blueprint is not None and findings == ()
    return blueprint.datasets


def _finding(folder: Path, config: str | None, spec: str = "", **more: Any) -> Finding:
    _, (finding,) = _read(folder, config, spec, **more)
    return finding


def _folders(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir(parents=True)


class TestResolved:
    def test_the_nearest_place_wins(self, tmp_path: Path) -> None:
        config = SOUND.replace("shuffle_caption", "keep_tokens = 1\nshuffle_caption")
        (dataset,) = _datasets(tmp_path, config + '[[datasets.subsets]]\nimage_dir = "b"\nkeep_tokens = 3\n')
        assert [subset.params["keep_tokens"] for subset in dataset.subsets] == [1, 3]
        assert [subset.params["num_repeats"] for subset in dataset.subsets] == [3, 1]

    def test_options_stand_in_for_what_the_config_leaves_open(self, tmp_path: Path) -> None:
        config = '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "img"\n'
        spec = 'resolution = "640,512"\ntrain_batch_size = 4\nshuffle_caption = true\n'
        (dataset,) = _datasets(tmp_path, config, spec)
        assert (dataset.params["resolution"], dataset.params["batch_size"]) == ((640, 512), 4)
        assert dataset.subsets[0].params["shuffle_caption"] is True
        assert dataset.subsets[0].params["caption_extension"] == ".caption"
        assert dataset.places["batch_size"].endswith("fox.toml:3")

    def test_one_number_is_both_sides(self, tmp_path: Path) -> None:
        (dataset,) = _datasets(tmp_path, SOUND.replace("resolution = 512\n", ""), 'resolution = "768"\n')
        assert dataset.params["resolution"] == (768, 768)
        (dataset,) = _datasets(tmp_path, SOUND.replace("512", "[512, 768]"))
        assert dataset.params["resolution"] == (512, 768)

    def test_places(self, tmp_path: Path) -> None:
        (dataset,) = _datasets(tmp_path, SOUND)
        assert str(dataset.where).endswith("data.toml:4")
        assert dataset.places["resolution"].endswith("data.toml:5")
        assert "enable_bucket" not in dataset.places
        subset = dataset.subsets[0]
        assert str(subset.where).endswith("data.toml:8")
        assert subset.places["shuffle_caption"].endswith("data.toml:2")

    def test_relative_paths_are_taken_from_the_checkout(self, tmp_path: Path) -> None:
        (dataset,) = _datasets(tmp_path, SOUND)
        assert dataset.subsets[0].params["image_dir"] == str(tmp_path / "checkout" / "img")

    def test_in_the_spec_they_are_relative_to_the_spec(self, tmp_path: Path) -> None:
        (dataset,) = _datasets(tmp_path, None, SOUND)
        assert dataset.subsets[0].params["image_dir"] == str(tmp_path / "img")

    def test_kinds(self, tmp_path: Path) -> None:
        config = SOUND + (
            '[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nmetadata_file = "m.json"\n'
            '[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = "a"\nconditioning_data_dir = "c"\n'
        )
        found = _datasets(tmp_path, config, "masked_loss = true\n")
        assert [dataset.kind for dataset in found] == [Kind.DREAMBOOTH, Kind.FINETUNING, Kind.CONTROLNET]
        assert found[1].subsets[0].params["metadata_file"] == str(tmp_path / "checkout" / "m.json")
        assert "is_reg" not in found[1].subsets[0].params
        assert "prior_loss_weight" in found[0].params and "prior_loss_weight" not in found[1].params

    @pytest.mark.parametrize(
        ("config", "spec"),
        [("[[datasets]]\nfoo = 1\n", ""), ("[[datasets]\n", ""), (SOUND, 'dataset_class = "my.Dataset"\n')],
    )
    def test_none_where_it_cannot_be_known(self, tmp_path: Path, config: str, spec: str) -> None:
        assert _read(tmp_path, config, spec) == (None, ())

    def test_none_where_nothing_is_named(self, tmp_path: Path) -> None:
        assert _read(tmp_path, None) == (None, ())

    def test_none_of_a_checkout_that_checks_otherwise(self, tmp_path: Path) -> None:
        assert _read(tmp_path, SOUND, sources={**SOURCES, "library/config_util.py": "x = 1\n"}) == (None, ())


class TestFolders:
    def test_their_names_say_repeats_and_words(self, tmp_path: Path) -> None:
        _folders(tmp_path, "img/10_fox_red", "img/2_cat", "reg/1_fox")
        spec = 'train_data_dir = "img"\nreg_data_dir = "reg"\nresolution = "512"\n'
        (dataset,) = _datasets(tmp_path, None, spec)
        found = [
            (Path(s.params["image_dir"]).name, s.params["num_repeats"], s.params["class_tokens"], s.params["is_reg"])
            for s in dataset.subsets
        ]
        assert found == [
            ("10_fox_red", 10, "fox_red", False), ("2_cat", 2, "cat", False), ("1_fox", 1, "fox", True),
        ]  # fmt: skip
        assert str(dataset.subsets[0].where).endswith("fox.toml:1")

    def test_those_without_repeats_are_named(self, tmp_path: Path) -> None:
        _folders(tmp_path, "img/10_fox", "img/cat", "img/0_dog", "img/.cache")
        finding = _finding(tmp_path, None, 'train_data_dir = "img"\nresolution = "512"\n')
        assert (finding.code, finding.severity) == ("dataset-folders", Severity.WARNING)
        assert "0_dog, cat:" in finding.message and ".cache" not in finding.message

    def test_none_with_repeats(self, tmp_path: Path) -> None:
        _folders(tmp_path, "img/cat")
        blueprint, (finding,) = _read(tmp_path, None, 'train_data_dir = "img"\nresolution = "512"\n')
        assert blueprint is None
        assert (finding.code, finding.severity) == ("dataset-folders", Severity.ERROR)
        assert "there is cat" in finding.message

    def test_no_folder(self, tmp_path: Path) -> None:
        assert codes(_read(tmp_path, None, 'train_data_dir = "img"\n')[1]) == ["dataset-folders"]

    def test_pictures_for_regularization_are_not_there(self, tmp_path: Path) -> None:
        _folders(tmp_path, "img/1_fox")
        spec = 'train_data_dir = "img"\nreg_data_dir = "reg"\nresolution = "512"\n'
        blueprint, (finding,) = _read(tmp_path, None, spec)
        assert blueprint is not None
        assert finding.message.startswith("reg_data_dir")

    def test_a_metadata_file(self, tmp_path: Path) -> None:
        spec = 'train_data_dir = "img"\nin_json = "m.json"\nresolution = "512"\n'
        (dataset,) = _datasets(tmp_path, None, spec)
        assert dataset.kind is Kind.FINETUNING
        assert dataset.subsets[0].params["image_dir"] == str(tmp_path / "img")

    def test_a_metadata_file_alone(self, tmp_path: Path) -> None:
        finding = _finding(tmp_path, None, 'in_json = "m.json"\nresolution = "512"\n')
        assert (finding.code, finding.hint) == ("dataset-options", "Set train_data_dir.")

    def test_a_metadata_file_beside_regularization(self, tmp_path: Path) -> None:
        spec = 'train_data_dir = "img"\nin_json = "m.json"\nreg_data_dir = "reg"\nresolution = "512"\n'
        assert _finding(tmp_path, None, spec).code == "dataset-option-ignored"

    def test_pictures_and_conditions(self, tmp_path: Path) -> None:
        _folders(tmp_path, "img", "canny")
        spec = 'train_data_dir = "img"\nconditioning_data_dir = "canny"\nresolution = "512"\n'
        (dataset,) = _datasets(tmp_path, None, spec, script_file="train_control_net.py")
        assert dataset.kind is Kind.CONTROLNET
        assert dataset.subsets[0].params["conditioning_data_dir"] == str(tmp_path / "canny")

    def test_pictures_without_conditions(self, tmp_path: Path) -> None:
        _folders(tmp_path, "img")
        spec = 'train_data_dir = "img"\nresolution = "512"\n'
        finding = _finding(tmp_path, None, spec, script_file="train_control_net.py")
        assert (finding.code, finding.hint) == ("dataset-options", "Set conditioning_data_dir.")

    def test_what_the_script_makes_and_refuses_itself(self, tmp_path: Path) -> None:
        _folders(tmp_path, "img/1_fox")
        spec = 'train_data_dir = "img"\nresolution = "512"\nmasked_loss = true\n'
        finding = _finding(tmp_path, None, spec, script_file="train_db.py")
        assert finding.code == "dataset-options"
        assert _read(tmp_path, None, spec.replace("true", "false"), script_file="train_db.py")[1] == ()


class TestOptionValues:
    @pytest.mark.parametrize("value", ["a", "512,", "1,2,3", "512.0", "512x512"])
    def test_a_resolution_that_cannot_be_taken_apart(self, tmp_path: Path, value: str) -> None:
        blueprint, (finding,) = _read(tmp_path, SOUND, f'resolution = "{value}"\n')
        assert blueprint is None
        assert (finding.code, finding.severity) == ("dataset-option-value", Severity.ERROR)
        assert value in finding.message

    def test_a_value_that_the_parser_refuses_is_said_elsewhere(self, tmp_path: Path) -> None:
        assert _read(tmp_path, SOUND, "train_batch_size = 2.5\n") == (None, ())


def _with(line: str) -> str:
    return SOUND.replace("resolution = 512\n", f"resolution = 512\n{line}\n")


def _subset(line: str) -> str:
    return SOUND + f"{line}\n"


BUCKETS = _with("enable_bucket = true")
WRONG: dict[str, tuple[str, str, Severity, int]] = {
    "no resolution": (SOUND.replace("resolution = 512\n", ""), "dataset-resolution", Severity.ERROR, 4),
    "resolution 0": (SOUND.replace("512", "0"), "dataset-resolution", Severity.ERROR, 5),
    "resolution 51": (SOUND.replace("512", "51"), "dataset-resolution", Severity.WARNING, 5),
    "above": (BUCKETS.replace("512", "1536"), "dataset-bucket-range", Severity.ERROR, 5),
    "above what is written": (
        _with("enable_bucket = true\nmax_bucket_reso = 448"), "dataset-bucket-range", Severity.ERROR, 7,
    ),
    "below": (BUCKETS.replace("512", "[512, 192]"), "dataset-bucket-range", Severity.ERROR, 5),
    "adjusted": (_with("enable_bucket = true\nmin_bucket_reso = 300"), "dataset-bucket-range", Severity.WARNING, 7),
    "steps": (_with("enable_bucket = true\nbucket_reso_steps = 32"), "dataset-bucket-steps", Severity.ERROR, 7),
    "steps alone": (
        _with("enable_bucket = true\nbucket_reso_steps = 48\nmin_bucket_reso = 300"), "dataset-bucket-steps",
        Severity.ERROR, 7,
    ),
    "resolution in buckets": (BUCKETS.replace("512", "51"), "dataset-resolution", Severity.ERROR, 5),
    "nothing left": (SOUND.replace("num_repeats = 3", "num_repeats = 0"), "dataset-empty", Severity.ERROR, 10),
    "steps 0": (_with("enable_bucket = true\nbucket_reso_steps = 0"), "dataset-bucket-steps", Severity.ERROR, 7),
    "batch": (SOUND.replace("batch_size = 2", "batch_size = 0"), "dataset-batch-size", Severity.ERROR, 6),
    "resize": (_with('resize_interpolation = "lanczo"'), "dataset-interpolation", Severity.ERROR, 6),
    "split": (_with("validation_split = 1.5"), "dataset-validation-split", Severity.ERROR, 6),
    "nothing but validation": (_with("validation_split = 1.0"), "dataset-validation-split", Severity.ERROR, 6),
    "repeats": (_subset('[[datasets.subsets]]\nimage_dir = "b"\nnum_repeats = 0'), "dataset-repeats",
                Severity.WARNING, 13),
    "same": (_subset('[[datasets.subsets]]\nimage_dir = "img"'), "dataset-same-subset", Severity.ERROR, 12),
    "home": (SOUND.replace('"img"', '"~/img"'), "dataset-path", Severity.ERROR, 9),
    "variable": (SOUND.replace('"img"', '"${DATA}/img"'), "dataset-path", Severity.ERROR, 9),
    "empty path": (SOUND.replace('"img"', '""'), "dataset-path", Severity.ERROR, 9),
    "nul": (SOUND.replace('"img"', '"a\\u0000"'), "dataset-path", Severity.ERROR, 9),
    "rate": (_subset("caption_dropout_rate = 10"), "dataset-rate", Severity.WARNING, 11),
    "only regularization": (_subset("is_reg = true"), "dataset-only-regularization", Severity.ERROR, 11),
}  # fmt: skip


class TestWrong:
    @pytest.mark.parametrize("name", WRONG)
    def test_one_finding_at_the_line(self, tmp_path: Path, name: str) -> None:
        config, code, severity, line = WRONG[name]
        finding = _finding(tmp_path, config)
        assert (finding.code, finding.severity) == (code, severity)
        assert str(finding.where).endswith(f"data.toml:{line}")

    def test_keep_tokens_where_nothing_is_shuffled(self, tmp_path: Path) -> None:
        config = SOUND_IN_ITSELF + '[[datasets.subsets]]\nimage_dir = "b"\n'
        finding = _finding(tmp_path, config)
        assert (finding.code, finding.severity) == ("dataset-keep-tokens", Severity.WARNING)
        assert str(finding.where).endswith("data.toml:2")
        assert _read(tmp_path, config + "shuffle_caption = true\n")[1] == ()

    def test_every_subset_passed_over(self, tmp_path: Path) -> None:
        blueprint, findings = _read(tmp_path, SOUND.replace("num_repeats = 3", "num_repeats = 0"))
        assert blueprint is not None and blueprint.datasets[0].subsets == ()
        assert "dataset-empty" in codes(findings)

    def test_subsets_passed_over_are_not_in_the_blueprint(self, tmp_path: Path) -> None:
        blueprint, _ = _read(tmp_path, WRONG["same"][0])
        assert blueprint is not None and len(blueprint.datasets[0].subsets) == 1

    def test_random_crop_with_conditions(self, tmp_path: Path) -> None:
        config = _subset('conditioning_data_dir = "c"\nrandom_crop = true')
        assert _finding(tmp_path, config, "masked_loss = true\n").code == "dataset-random-crop"


SOUND_ONES = {
    "buckets": BUCKETS,
    "bounds": _with("enable_bucket = true\nmin_bucket_reso = 512\nmax_bucket_reso = 512"),
    "saved by adjusting": BUCKETS.replace("512", "[1024, 256]"),
    "no buckets, no bounds": SOUND.replace("512", "2048"),
    "steps without buckets": _with("bucket_reso_steps = 32"),
    "more steps": _with("enable_bucket = true\nbucket_reso_steps = 128"),
    "resize": _with('resize_interpolation = "area"'),
    "split": _with("validation_split = 0.9"),
    "one folder in two datasets": SOUND + SOUND.partition("\n\n")[2],
    "regularization beside pictures": _subset('[[datasets.subsets]]\nimage_dir = "b"\nis_reg = true'),
    "a dollar that is no variable": SOUND.replace('"img"', '"/a/$/b"'),
    "rates": _subset("caption_dropout_rate = 1"),
}


class TestQuiet:
    @pytest.mark.parametrize("name", SOUND_ONES)
    def test_sound(self, tmp_path: Path, name: str) -> None:
        config = SOUND_ONES[name]
        assert _read(tmp_path, config)[1] == ()

    def test_a_path_that_really_begins_with_a_tilde(self, tmp_path: Path) -> None:
        _folders(tmp_path, "checkout/~/img")
        config = SOUND.replace('"img"', '"~/img"')
        assert _read(tmp_path, config)[1] == ()

    @pytest.mark.parametrize(
        ("script", "steps", "quiet"),
        [
            ("sdxl_train_network.py", 32, True),
            ("sdxl_train_network.py", 16, False),
            ("flux_train_network.py", 32, False),
        ],
    )
    def test_the_steps_that_a_script_asks_for(self, tmp_path: Path, script: str, steps: int, quiet: bool) -> None:
        config = _with(f"enable_bucket = true\nbucket_reso_steps = {steps}")
        found = _read(tmp_path, config, script_file=script)[1]
        assert codes(found) == ([] if quiet else ["dataset-bucket-steps"])

    @pytest.mark.parametrize(
        ("name", "older"),
        [
            ("no resolution", lambda text: text.replace("assert resolution is not None", "pass")),
            ("above", lambda text: text.replace("max(resolution) <= max_bucket_reso", "max(resolution)")),
            ("steps", lambda text: text.replace("% min_steps == 0", "> min_steps")),
            ("batch", lambda text: text.replace("/ self.batch_size", "/ size")),
            ("resize", lambda text: text.replace("assert validate_interpolation_fn", "validate")),
            ("adjusted", lambda text: text.replace("adjust_min_max_bucket_reso_by_steps", "check")),
        ],
    )  # fmt: skip
    def test_a_checkout_without_the_rule(self, tmp_path: Path, name: str, older: Callable[[str], str]) -> None:
        config = WRONG[name][0]
        changed = older(TRAIN_UTIL)
        assert changed != TRAIN_UTIL
        assert _read(tmp_path, config, sources={**SOURCES, "library/train_util.py": changed})[1] == ()

    def test_a_fine_tuning_dataset_of_an_older_checkout(self, tmp_path: Path) -> None:
        config = '[[datasets]]\nenable_bucket = true\n[[datasets.subsets]]\nmetadata_file = "m.json"\n'
        assert codes(_read(tmp_path, config)[1]) == ["dataset-resolution"]
        older = {**SOURCES, "library/train_util.py": TRAIN_UTIL.replace("self.size = min(self.width, self.height)", "")}
        assert _read(tmp_path, config, sources=older)[1] == ()
        assert _read(tmp_path, config.replace("]]\nen", "]]\nresolution = 4096\nen"), sources=older)[1] == ()

    def test_steps_of_a_script_that_asks_under_a_condition(self, tmp_path: Path) -> None:
        script = TRAIN_NETWORK.replace("        train_dataset_group.verify_bucket_reso_steps(64)\n", "")
        config = _with("enable_bucket = true\nbucket_reso_steps = 32")
        assert _read(tmp_path, config, sources={**SOURCES, "train_network.py": script})[1] == ()
