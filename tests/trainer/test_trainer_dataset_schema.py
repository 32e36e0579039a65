"""What may stand in a dataset config, read from a checkout's text."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_sources import CONFIG_UTIL, SOURCES

from launcher.trainer import dataset_reading
from launcher.trainer.dataset_schema import DatasetSchema, Wanted, for_script, read_dataset_schema
from launcher.trainer.dataset_script import ScriptDatasets, read_script_datasets

ALL = ("support_dreambooth", "support_finetuning", "support_controlnet", "support_dropout")


def _checkout(folder: Path, **changed: str) -> Path:
    files = {**SOURCES, **{f"library/{name}.py": text for name, text in changed.items()}}
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def _schema(folder: Path, **changed: str) -> DatasetSchema:
    return read_dataset_schema(_checkout(folder / "checkout", **changed), cache=folder / "cache")


def _script(folder: Path, script: str) -> ScriptDatasets:
    return read_script_datasets(_checkout(folder / "checkout"), script, cache=folder / "cache")


class TestSchema:
    def test_keys_and_types(self, tmp_path: Path) -> None:
        keys = for_script(_schema(tmp_path), dict.fromkeys(ALL, True))
        assert keys is not None
        controlnet, finetuning, dreambooth = keys.kinds
        assert dreambooth.subset["image_dir"].required and not finetuning.subset["image_dir"].required
        assert finetuning.subset["metadata_file"].required and "metadata_file" not in dreambooth.subset
        assert "resolution" in dreambooth.dataset and "resolution" not in dreambooth.subset
        assert (finetuning.key, finetuning.present) == ("metadata_file", True)
        assert (dreambooth.key, dreambooth.present) == ("metadata_file", False)
        assert controlnet.key == "conditioning_data_dir"
        assert keys.general["resolution"].wanted == Wanted("one-or-pair", (Wanted("int"),))
        assert keys.general["face_crop_aug_range"].wanted == Wanted("pair", (Wanted("float"),))
        assert keys.general["caption_dropout_rate"].wanted == Wanted("any", (Wanted("float"), Wanted("int")))
        assert keys.general["custom_attributes"].wanted == Wanted("dict")

    def test_a_validator_that_is_not_known_takes_any_value(self, tmp_path: Path) -> None:
        keys = for_script(_schema(tmp_path), dict.fromkeys(ALL, True))
        assert keys is not None and keys.general["of_a_new_type"].wanted == Wanted("unread")

    def test_what_a_script_does_not_support_is_not_there(self, tmp_path: Path) -> None:
        schema = _schema(tmp_path)
        keys = for_script(schema, {**dict.fromkeys(ALL, True), "support_dropout": False, "support_controlnet": False})
        assert keys is not None
        assert "caption_dropout_rate" not in keys.general
        assert [kind.key for kind in keys.kinds] == ["metadata_file", "metadata_file"]

    @pytest.mark.parametrize(
        ("supported", "required"),
        [
            ((True, False, False), ["image_dir"]),
            ((True, False, True), ["conditioning_data_dir", "image_dir"]),
            ((False, True, True), ["metadata_file"]),
            ((False, False, True), ["conditioning_data_dir", "image_dir"]),
        ],
    )
    def test_a_script_of_one_kind(self, tmp_path: Path, supported: tuple[bool, ...], required: list[str]) -> None:
        keys = for_script(_schema(tmp_path), dict(zip(ALL, supported, strict=False)))
        assert keys is not None
        (kind,) = keys.kinds
        assert kind.key == ""
        assert sorted(key for key, entry in kind.subset.items() if entry.required) == required

    def test_a_script_that_supports_nothing(self, tmp_path: Path) -> None:
        assert for_script(_schema(tmp_path), dict.fromkeys(ALL, False)) is None

    def test_parameters_inherit_and_have_defaults(self, tmp_path: Path) -> None:
        params = _schema(tmp_path).params
        assert params["DreamBoothSubsetParams"]["num_repeats"] == 1
        assert params["DreamBoothSubsetParams"]["caption_extension"] == ".caption"
        assert params["ControlNetDatasetParams"]["max_bucket_reso"] == 1024
        assert "metadata_file" not in params["DreamBoothSubsetParams"]

    def test_options_under_other_names(self, tmp_path: Path) -> None:
        assert _schema(tmp_path).renamed == {"train_batch_size": "batch_size", "dataset_repeats": "num_repeats"}

    def test_an_older_sanitizer_without_controlnet(self, tmp_path: Path) -> None:
        old = CONFIG_UTIL.replace("support_finetuning, support_controlnet, support", "support_finetuning, support")
        old = old.replace("support_controlnet and all([", "all([")
        old = old.replace("            self.CN_SUBSET_ASCENDABLE_SCHEMA if support_controlnet else {},\n", "")
        old = old.replace("if support_controlnet:", "if support_finetuning:")
        old = old.replace("elif support_controlnet:", "else:").replace("or support_controlnet", "")
        schema = _schema(tmp_path, config_util=old)
        assert schema.unread == ""
        assert schema.supports == ("support_dreambooth", "support_finetuning", "support_dropout")

    def test_the_cache_gives_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = _schema(tmp_path)
        monkeypatch.setattr(dataset_reading, "read_sanitizer", None)
        assert read_dataset_schema(tmp_path / "checkout", cache=tmp_path / "cache") == first


class TestUnread:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ('"general": self.general_schema, ', ""),
            ('"num_repeats": int', "REPEATS: int"),
            ("self.DO_SUBSET_ASCENDABLE_SCHEMA if support_dropout else {},", "more(),"),
            ("self.DB_SUBSET_DISTINCT_SCHEMA,", "self.OF_A_BASE_CLASS,"),
            ("if support_dreambooth and support_finetuning:", "if len(kinds) == 2:"),
            ('elif all(["metadata_file" in subset for subset in subsets]):', "elif is_metadata(subsets):"),
            ("self.general_schema =", "self.common ="),
            ("def __init__", "def prepare"),
            ("class ConfigSanitizer:", "class ConfigSanitizer:\n  oops"),
        ],
    )
    def test_what_is_made_otherwise_is_not_guessed(self, tmp_path: Path, before: str, after: str) -> None:
        assert before in CONFIG_UTIL
        schema = _schema(tmp_path, config_util=CONFIG_UTIL.replace(before, after))
        assert schema.unread
        assert schema.groups == {} and schema.branches == ()

    def test_no_sanitizer_at_all(self, tmp_path: Path) -> None:
        assert _schema(tmp_path, config_util="def datasets_of(args): ...\n").unread is None

    def test_no_file(self, tmp_path: Path) -> None:
        assert "missing" in (read_dataset_schema(tmp_path, cache=tmp_path / "cache").unread or "")


class TestScript:
    def test_the_script_itself(self, tmp_path: Path) -> None:
        assert _script(tmp_path, "train_network.py") == ScriptDatasets(
            supports=(True, True, "masked_loss", True),
            folders=("train_data_dir", "reg_data_dir"),
            metadata=("train_data_dir", "in_json"),
            controlnet=(),
            ignored=("train_data_dir", "reg_data_dir", "in_json"),
            own_class=("dataset_class",),
            bucket_steps=(64,),
        )

    def test_one_that_inherits(self, tmp_path: Path) -> None:
        found = _script(tmp_path, "sdxl_train_network.py")
        assert found.supports == (True, True, "masked_loss", True)
        assert found.bucket_steps == (32,)

    def test_one_that_asks_the_one_above_too(self, tmp_path: Path) -> None:
        assert set(_script(tmp_path, "flux_train_network.py").bucket_steps) == {32, 64}

    def test_one_for_controlnets(self, tmp_path: Path) -> None:
        found = _script(tmp_path, "train_control_net.py")
        assert found.controlnet == ("train_data_dir", "conditioning_data_dir", "caption_extension")
        assert (found.folders, found.metadata, found.own_class) == ((), (), ())

    @pytest.mark.parametrize("text", ["x = 1\n", "def train(:\n", "ConfigSanitizer(a=1)\n"])
    def test_one_that_says_nothing(self, tmp_path: Path, text: str) -> None:
        (_checkout(tmp_path / "checkout") / "train_db.py").write_text(text, encoding="utf-8")
        found = read_script_datasets(tmp_path / "checkout", "train_db.py", cache=tmp_path / "cache")
        assert found.supports == ()

    def test_scripts_that_import_one_another(self, tmp_path: Path) -> None:
        checkout = _checkout(tmp_path / "checkout")
        (checkout / "train_a.py").write_text("import train_b\n", encoding="utf-8")
        (checkout / "train_b.py").write_text("import train_a\n", encoding="utf-8")
        assert read_script_datasets(checkout, "train_a.py", cache=tmp_path / "cache") == ScriptDatasets()
