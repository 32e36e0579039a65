"""The dataset config against the checkout's schema: what is said of which line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import toml
from dataset_bed import SOUND, config_findings, line_of, only_finding
from dataset_sources import SOURCES

from launcher.base.findings import Severity
from launcher.plan.checks.dataset_config import MOST_FINDINGS
from launcher.plan.checks.dataset_values import better, converted, is_odd, passes, said, shown, wanted_words
from launcher.trainer.dataset_schema import Wanted


class TestQuiet:
    def test_a_sound_config(self, tmp_path: Path) -> None:
        assert config_findings(tmp_path, SOUND) == []

    def test_no_config(self, tmp_path: Path) -> None:
        assert config_findings(tmp_path, None, 'train_data_dir = "img"\n') == []

    def test_every_kind(self, tmp_path: Path) -> None:
        kinds = (
            '[[datasets]]\n[[datasets.subsets]]\nmetadata_file = "m.json"\n'
            '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "a"\nconditioning_data_dir = "c"\n'
        )
        assert config_findings(tmp_path, SOUND + kinds, "masked_loss = true\n") == []

    def test_json(self, tmp_path: Path) -> None:
        assert config_findings(tmp_path, json.dumps(toml.loads(SOUND)), file="data.json") == []

    def test_written_into_the_spec(self, tmp_path: Path) -> None:
        assert config_findings(tmp_path, None, SOUND) == []

    def test_a_checkout_that_checks_otherwise(self, tmp_path: Path) -> None:
        sources = {**SOURCES, "library/config_util.py": "def datasets_of(args): ...\n"}
        assert config_findings(tmp_path, "[[datasets]]\nfoo = 1\n", sources=sources) == []


class TestUnknownKeys:
    @pytest.mark.parametrize(
        ("line", "table", "hint"),
        [
            ("enable_bukcet = true", "[general]", "Did you mean enable_bucket?"),
            ("num_repeat = 1", "[[datasets.subsets]]", "Did you mean num_repeats?"),
            ("resolution = 512", "[[datasets.subsets]]", "It belongs to [general] or [[datasets]]."),
            ('image_dir = "a"', "[general]", "It belongs to [[datasets.subsets]]."),
            ("is_reg = true", "[[datasets]]", "It belongs to [[datasets.subsets]]."),
            ("train_batch_size = 2", "[general]", "Did you mean batch_size? train_batch_size is the option of"),
            ("train_batch_size = 2", "[[datasets.subsets]]", "It is an option of train_network.py: write it into"),
            ("prior_loss_weight = 1.0", "[[datasets]]", "It is an option of train_network.py: write it into"),
            ('conditioning_data_dir = "c"', "[[datasets.subsets]]", "only with masked_loss = true"),
            ("is_rge = true", "[general]", "Did you mean is_reg, which belongs to [[datasets.subsets]]?"),
            ("zzzzzz = 1", "[general]", "Remove it."),
        ],
    )
    def test_the_hint_knows_where_it_belongs(self, tmp_path: Path, line: str, table: str, hint: str) -> None:
        parts = {
            "[general]": "keep_tokens = 1",
            "[[datasets]]": "batch_size = 2",
            "[[datasets.subsets]]": "num_repeats",
        }
        after = parts[table]
        config = "".join(f"{text}\n{line}\n" if text.startswith(after) else f"{text}\n" for text in SOUND.splitlines())
        finding = only_finding(tmp_path, config)
        assert (finding.code, finding.severity) == ("dataset-unknown-key", Severity.ERROR)
        assert table in finding.message and line.partition(" ")[0] in finding.message
        assert hint in (finding.hint or "")
        assert config.splitlines()[line_of(finding) - 1] == line

    def test_keys_of_another_kind(self, tmp_path: Path) -> None:
        config = '[[datasets]]\n[[datasets.subsets]]\nmetadata_file = "m"\nclass_tokens = "fox"\n'
        assert only_finding(tmp_path, config).hint == "It is for datasets whose subsets have no metadata_file."

    def test_what_the_script_does_not_support(self, tmp_path: Path) -> None:
        sources = {**SOURCES, "train_network.py": SOURCES["train_network.py"].replace("loss, True)", "loss, False)")}
        finding = only_finding(tmp_path, SOUND + "caption_dropout_rate = 0.1\n", sources=sources)
        assert finding.hint == "train_network.py does not take it."

    @pytest.mark.parametrize(
        ("line", "hint"),
        [
            ("[dataset]\nbatch_size = 1", "Did you mean datasets?"),
            ('[[subsets]]\nimage_dir = "a"', "Write [[datasets.subsets]] below [[datasets]]."),
            ("[other]", "There are [general] and [[datasets]]."),
        ],
    )
    def test_tables_that_there_are_not(self, tmp_path: Path, line: str, hint: str) -> None:
        assert only_finding(tmp_path, SOUND + line + "\n").hint == hint

    def test_keys_above_all_tables(self, tmp_path: Path) -> None:
        assert only_finding(tmp_path, "resolution = 512\n" + SOUND).hint == "Write it under [general] or [[datasets]]."
        assert only_finding(tmp_path, 'image_dir = "a"\n' + SOUND).hint == "Write it under [[datasets.subsets]]."

    def test_a_script_of_one_kind(self, tmp_path: Path) -> None:
        found = config_findings(tmp_path, SOUND, script_file="train_control_net.py")
        assert [finding.code for finding in found] == ["dataset-missing-key"]
        assert "conditioning_data_dir" in found[0].message

    def test_endless_mistakes_are_counted(self, tmp_path: Path) -> None:
        found = config_findings(
            tmp_path, SOUND + "".join(f"key_{number} = 1\n" for number in range(MOST_FINDINGS + 100))
        )
        assert len(found) == MOST_FINDINGS + 1
        assert "100 more" in found[-1].message


class TestTypes:
    @pytest.mark.parametrize(
        ("line", "message", "hint"),
        [
            ('num_repeats = "10"', 'a whole number, and here stands the text "10"', "Write 10."),
            ("num_repeats = 2.0", "a whole number, and here stands 2.0", "Write 2."),
            ("shuffle_caption = 1", "true or false, and here stands the whole number 1", "Write true."),
            ('shuffle_caption = "False"', "true or false", "Write false."),
            ("class_tokens = 5", "text, and here stands the whole number 5", 'Write "5".'),
            ("class_tokens = true", "text, and here stands true", None),
            ('caption_dropout_rate = "0.1"', "a number, and here stands", "Write 0.1."),
            ("face_crop_aug_range = [1, 2]", "a list of two, each a number with a decimal point", "Write [1.0, 2.0]."),
            ("face_crop_aug_range = 1.5", "a list of two", None),
            ("custom_attributes = 3", "a table, and here stands the whole number 3", None),
            ("class_tokens = 1979-05-27", "the date or time 1979-05-27", None),
            ('keep_tokens = ["a", "b"]', "a list of 2", None),
        ],
    )
    def test_in_a_subset(self, tmp_path: Path, line: str, message: str, hint: str | None) -> None:
        config = SOUND.replace("num_repeats = 3\n", f"{line}\n")
        finding = only_finding(tmp_path, config)
        assert (finding.code, finding.severity) == ("dataset-wrong-type", Severity.ERROR)
        assert message in finding.message
        assert finding.hint == hint
        assert line_of(finding) == 10

    @pytest.mark.parametrize(
        ("line", "hint"),
        [
            ("validation_split = 0", "Write 0.0."),
            ("network_multiplier = 1", "Write 1.0."),
            ('resolution = "512"', "Write 512."),
            ("resolution = [512.0, 512.0]", "Write [512, 512]."),
            ("resolution = [512]", "Write 512."),
            ("resolution = [1, 2, 3]", None),
        ],
    )
    def test_in_general(self, tmp_path: Path, line: str, hint: str | None) -> None:
        finding = only_finding(tmp_path, SOUND.replace("keep_tokens = 1", line))
        assert (finding.code, finding.hint, line_of(finding)) == ("dataset-wrong-type", hint, 2)

    @pytest.mark.parametrize("line", ["num_repeats = true", "caption_dropout_rate = true"])
    def test_true_is_a_number_for_the_trainer(self, tmp_path: Path, line: str) -> None:
        finding = only_finding(tmp_path, SOUND.replace("num_repeats = 3", line))
        assert finding.severity is Severity.WARNING
        assert "takes true for 1" in finding.message

    def test_true_in_a_list(self, tmp_path: Path) -> None:
        finding = only_finding(tmp_path, SOUND.replace("resolution = 512", "resolution = [true, true]"))
        assert finding.severity is Severity.WARNING

    def test_null(self, tmp_path: Path) -> None:
        config = '{"datasets": [{"subsets": [{"image_dir": "a",\n"num_repeats": null}]}]}'
        finding = only_finding(tmp_path, config, file="data.json")
        assert "null" in finding.message and line_of(finding) == 2

    @pytest.mark.parametrize(
        "config",
        ["general = 1\n" + SOUND.partition("\n\n")[2], "datasets = 3\n", 'datasets = ["a"]\n',
         "[[datasets]]\nsubsets = 3\n", '[[datasets]]\nsubsets = ["a"]\n', '[datasets]\nresolution = 3\n'],
    )  # fmt: skip
    def test_other_shapes(self, tmp_path: Path, config: str) -> None:
        found = config_findings(tmp_path, config)
        assert {finding.code for finding in found} == {"dataset-wrong-type"}

    @pytest.mark.parametrize("config", ["[]", "3", "null", '"text"'])
    def test_json_that_is_no_table(self, tmp_path: Path, config: str) -> None:
        assert only_finding(tmp_path, config, file="data.json").code in ("dataset-wrong-type", "dataset-broken")


class TestOtherMistakes:
    def test_a_required_key(self, tmp_path: Path) -> None:
        finding = only_finding(tmp_path, SOUND.replace('image_dir = "img"\n', ""))
        assert (finding.code, line_of(finding)) == ("dataset-missing-key", 8)
        assert "image_dir" in finding.message

    def test_a_required_key_that_is_misspelt_is_told_once(self, tmp_path: Path) -> None:
        finding = only_finding(tmp_path, SOUND.replace("image_dir", "image_dirs"))
        assert (finding.code, finding.hint) == ("dataset-unknown-key", "Did you mean image_dir?")
        found = config_findings(tmp_path, SOUND.replace("image_dir", "colour"))
        assert {each.code for each in found} == {"dataset-unknown-key", "dataset-missing-key"}

    def test_mixed_kinds(self, tmp_path: Path) -> None:
        finding = only_finding(tmp_path, SOUND + '[[datasets.subsets]]\nmetadata_file = "m"\n')
        assert (finding.code, line_of(finding)) == ("dataset-mixed-kinds", 4)

    def test_two_datasets_of_two_kinds_are_sound(self, tmp_path: Path) -> None:
        assert config_findings(tmp_path, SOUND + '[[datasets]]\n[[datasets.subsets]]\nmetadata_file = "m"\n') == []

    @pytest.mark.parametrize("config", ["", "[general]\n", "datasets = []\n", "[[datasets]]\nresolution = 512\n"])
    def test_nothing_to_train_on(self, tmp_path: Path, config: str) -> None:
        finding = only_finding(tmp_path, config)
        assert (finding.code, finding.severity) == ("dataset-empty", Severity.ERROR)

    def test_one_empty_dataset_of_two(self, tmp_path: Path) -> None:
        finding = only_finding(tmp_path, SOUND + "[[datasets]]\nresolution = 768\n")
        assert (finding.severity, line_of(finding)) == (Severity.WARNING, 11)


class TestPlaces:
    def test_in_the_spec(self, tmp_path: Path) -> None:
        finding = only_finding(tmp_path, None, SOUND + "num_repeat = 2\n")  # type: ignore[arg-type]
        assert str(finding.where).endswith("fox.toml:11")

    def test_from_a_template(self, tmp_path: Path) -> None:
        (tmp_path / "base.toml").write_text("# a\n[general]\nkep_tokens = 2\n", encoding="utf-8")
        spec = 'extends = "base.toml"\n' + SOUND.partition("\n\n")[2]
        finding = only_finding(tmp_path, None, spec)  # type: ignore[arg-type]
        assert str(finding.where).endswith("base.toml:3")

    def test_inline_tables(self, tmp_path: Path) -> None:
        config = '[[datasets]]\nsubsets = [\n  {image_dir = "a"},\n  {image_dir = "b", foo = 1},\n]\n'
        assert line_of(only_finding(tmp_path, config)) == 4

    def test_in_json(self, tmp_path: Path) -> None:
        config = json.dumps({"datasets": [{"subsets": [{"image_dir": "a"}, {"image_dir": "b", "foo": 1}]}]}, indent=1)
        finding = only_finding(tmp_path, config, file="data.json")
        assert config.splitlines()[line_of(finding) - 1].strip().startswith('"foo"')


class TestBroken:
    @pytest.mark.parametrize(
        ("config", "line", "words"),
        [
            ("[[datasets]]\nresolution = 1\nresolution = 2\n", 3, "stands twice, first in line 2"),
            ("[general]\n[general]\n", 2, "stands twice"),
            ("[[datasets]]\nresolution =\n", 2, "Invalid value"),
            ("[[datasets]]\nresolution = [1, 2.0]\n", 2, "the package toml says so"),
            ("[[datasets]]\nimage_dir = img\n", 2, ""),
            ('x = "\\ud800"\n', 1, ""),
            ("[[datasets]\n", 1, ""),
            ("[[datasets]]\nimage_dir = 'a\n", 2, ""),
            ("\ufeff[general]\n", 1, ""),
        ],
    )
    def test_toml(self, tmp_path: Path, config: str, line: int, words: str) -> None:
        finding = only_finding(tmp_path, config)
        assert (finding.code, line_of(finding)) == ("dataset-broken", line)
        assert words in finding.message

    def test_not_utf8(self, tmp_path: Path) -> None:
        found = config_findings(tmp_path, b'[general]\nclass_tokens = "\xff"\n')
        assert [(finding.code, line_of(finding)) for finding in found] == [("dataset-broken", 2)]

    def test_json(self, tmp_path: Path) -> None:
        finding = only_finding(tmp_path, '{"general":\n {"a" 1}}', file="data.json")
        assert (finding.code, line_of(finding)) == ("dataset-broken", 2)

    def test_a_key_twice_in_json(self, tmp_path: Path) -> None:
        config = '{"general": {"keep_tokens": 1,\n"keep_tokens": 2}, "datasets": [{"subsets": [{"image_dir": "a"}]}]}'
        finding = only_finding(tmp_path, config, file="data.json")
        assert (finding.code, line_of(finding)) == ("dataset-key-twice", 2)

    def test_what_toml_takes_otherwise_than_it_is_meant(self, tmp_path: Path) -> None:
        config = SOUND + 'class_tokens = """red  \nfox"""\n'
        assert toml.loads(config)["datasets"][0]["subsets"][0]["class_tokens"] == "red\nfox"
        finding = only_finding(tmp_path, config)
        assert (finding.code, finding.severity, line_of(finding)) == ("dataset-misread", Severity.WARNING, 11)

    @pytest.mark.parametrize("line", ["caption_dropout_rate = -0.0", "caption_dropout_rate = nan", "keep_tokens = 1_0"])
    def test_numbers_mean_the_same(self, tmp_path: Path, line: str) -> None:
        assert config_findings(tmp_path, SOUND + f"{line}\n") == []

    def test_windows_line_ends_are_sound(self, tmp_path: Path) -> None:
        assert config_findings(tmp_path, SOUND.replace("\n", "\r\n").encode()) == []


class TestIgnored:
    def test_other_sources_of_pictures(self, tmp_path: Path) -> None:
        found = config_findings(tmp_path, SOUND, 'train_data_dir = "img"\nin_json = "m.json"\nreg_data_dir = "reg"\n')
        assert [finding.code for finding in found] == ["dataset-option-ignored"] * 3
        assert {finding.severity for finding in found} == {Severity.WARNING}
        assert str(found[0].where).endswith("fox.toml:2")

    def test_a_config_beside_a_class_of_the_users_own(self, tmp_path: Path) -> None:
        finding = only_finding(tmp_path, "[[datasets]]\nfoo = 1\n", 'dataset_class = "my.Dataset"\n')
        assert finding.code == "dataset-option-ignored"
        other = config_findings(
            tmp_path, "[[datasets]]\nfoo = 1\n", 'dataset_class = "my.Dataset"\n', script_file="train_control_net.py"
        )
        assert "dataset-unknown-key" in [finding.code for finding in other]  # this script does not look at it

    @pytest.mark.parametrize("line", ['resolution = "768"', "train_batch_size = 4", "keep_tokens = 5"])
    def test_an_option_that_the_config_overrides(self, tmp_path: Path, line: str) -> None:
        finding = only_finding(tmp_path, SOUND, f"{line}\n")
        assert (finding.code, finding.severity) == ("dataset-option-overridden", Severity.WARNING)
        assert finding.message.startswith(line.partition(" ")[0])
        assert "data.toml:" in (finding.hint or "")

    @pytest.mark.parametrize("line", ['resolution = "512,512"', "train_batch_size = 2", "keep_tokens = 1"])
    def test_one_that_says_the_same(self, tmp_path: Path, line: str) -> None:
        assert config_findings(tmp_path, SOUND, f"{line}\n") == []

    def test_one_that_a_template_sets(self, tmp_path: Path) -> None:
        (tmp_path / "base.toml").write_text("train_batch_size = 4\n", encoding="utf-8")
        assert config_findings(tmp_path, SOUND, 'extends = "base.toml"\n') == []

    def test_one_that_counts_for_some_dataset(self, tmp_path: Path) -> None:
        other = '[[datasets]]\nresolution = 640\n[[datasets.subsets]]\nimage_dir = "b"\n'
        assert config_findings(tmp_path, SOUND + other, "train_batch_size = 4\n") == []

    def test_a_switch(self, tmp_path: Path) -> None:
        config = SOUND + "shuffle_caption = false\n"
        assert [finding.code for finding in config_findings(tmp_path, config, "shuffle_caption = true\n")] == [
            "dataset-option-overridden"
        ]
        config += '[[datasets.subsets]]\nimage_dir = "b"\n'
        assert config_findings(tmp_path, config, "shuffle_caption = true\n") == []


class TestValues:
    INT, FLOAT, TEXT, BOOL = Wanted("int"), Wanted("float"), Wanted("str"), Wanted("bool")

    def test_what_passes(self) -> None:
        assert passes(True, self.INT) and not passes(1, self.FLOAT) and not passes(1, self.BOOL)
        assert passes(None, Wanted("none")) and passes(object(), Wanted("unread"))
        assert passes((1, 2), Wanted("pair", (self.INT,))) and not passes([1], Wanted("pair", (self.INT,)))

    def test_what_the_trainer_holds(self) -> None:
        size = Wanted("one-or-pair", (self.INT,))
        assert converted(512, size) == (512, 512)
        assert converted([512, 768], size) == (512, 768)
        assert converted("a", self.TEXT) == "a"

    def test_odd_is_a_number_only(self) -> None:
        assert is_odd(True, self.INT)
        assert not is_odd(True, self.BOOL) and not is_odd(1, self.INT) and not is_odd(True, Wanted("unread"))
        assert not is_odd(True, Wanted("any", (self.INT, self.BOOL)))

    def test_words(self) -> None:
        assert wanted_words(Wanted("any", (self.FLOAT, self.INT))) == "a number"
        assert wanted_words(Wanted("any", (self.BOOL, self.TEXT))) == "true or false or text"
        assert wanted_words(Wanted("unread")) == "another value"

    def test_long_and_strange_values_are_cut(self) -> None:
        assert len(said("x" * 10_000)) < 80
        assert shown("a\x1b[0m\ud800").isprintable() and len(shown("k" * 5000)) < 60
        assert better("9" * 5000, self.INT) is None
