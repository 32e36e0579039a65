"""What a checkout's prompt reader takes, read from sources that are built as sd-scripts builds them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.trainer.prompt_flags import PromptFlag, PromptReader, parts_of, read_prompt_reader

LINES = """
import re

def sample_images(*args, **kwargs):
    return sample_images_common(SomeLongPromptWeightingPipeline, *args, **kwargs)

from library.some_pipeline import SomeLongPromptWeightingPipeline

def line_to_prompt_dict(line):
    pieces = line.split(" --")
    prompt_dict = {"prompt": pieces[0]}
    for piece in pieces:
        try:
            m = re.match(r"w (\\d+)", piece, re.IGNORECASE)
            if m:
                prompt_dict["width"] = int(m.group(1))
                continue
            m = re.match(r"s (\\d+)", piece, re.IGNORECASE)
            if m:
                prompt_dict["sample_steps"] = max(2, min(500, int(m.group(1))))
                continue
            m = re.match(r"l ([\\d\\.]+)", piece, re.IGNORECASE)
            if m:
                prompt_dict["scale"] = float(m.group(1))
                continue
            m = re.match(r"n (.+)", piece, re.IGNORECASE)
            if m:
                prompt_dict["negative_prompt"] = m.group(1)
                continue
        except ValueError as error:
            print(error)
    return prompt_dict

def get_my_scheduler(sample_sampler):
    if sample_sampler == "ddim":
        return 1
    elif sample_sampler == "lms" or sample_sampler == "k_lms":
        return 2

def sample_images_common(pipe_class, state, args):
    if args.sample_prompts.endswith(".toml") or args.sample_prompts.endswith(".json"):
        pass
    prompts = [line_to_prompt_dict(line) for line in open(args.sample_prompts)]
    with state.split_between_processes(prompts) as mine:
        for prompt_dict in mine:
            sample_image_inference(prompt_dict)

def sample_image_inference(prompt_dict):
    width = prompt_dict.get("width", 512)
    height = int(prompt_dict.get("height", 640))
    scale = prompt_dict.get("scale", 1.0)
    # size = prompt_dict.get("size")
    height = max(64, height - height % 8)
    width = max(64, width - width % 8)
    get_my_scheduler(sample_sampler=prompt_dict.get("sample_sampler"))
"""
SCRIPT = """
from library import train_util

class Trainer:
    def sample_images(self, *args):
        train_util.sample_images(*args)
"""
PIPELINE = "class SomeLongPromptWeightingPipeline: pass\n"


def reader_of(folder: Path, files: dict[str, str], script: str = "train.py") -> PromptReader | None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return read_prompt_reader(folder, script, cache=folder / "cache")


def whole(folder: Path, lines: str = LINES, **more: str) -> PromptReader:
    files = {"train.py": SCRIPT, "library/train_util.py": lines, "library/some_pipeline.py": PIPELINE, **more}
    reader = reader_of(folder, files)
    assert reader is not None
    return reader


def test_flags_with_their_keys_kinds_and_limits(tmp_path: Path) -> None:
    reader = whole(tmp_path)
    assert [(flag.name, flag.key, flag.kind) for flag in reader.flags] == [
        ("w", "width", "int"), ("s", "sample_steps", "int"), ("l", "scale", "float"), ("n", "negative_prompt", "text"),
    ]  # fmt: skip
    steps = reader.flag("S")
    assert steps is not None
    assert (steps.least, steps.most) == (2, 500)
    assert reader.complete


def test_what_the_sampling_function_does_with_them(tmp_path: Path) -> None:
    reader = whole(tmp_path)
    assert (reader.multiple, reader.smallest) == (8, 64)
    assert reader.samplers == ("ddim", "lms", "k_lms")
    assert reader.spread
    assert reader.tables
    assert reader.pipelines == ("library/some_pipeline.py",)
    assert {key.name: (key.default, key.converted) for key in reader.keys} == {
        "width": (512, False), "height": (640, True), "scale": (1.0, False), "sample_sampler": (None, False),
    }  # fmt: skip
    assert not reader.opens_image
    assert not reader.seed_above_zero


def test_it_is_kept_and_read_anew_when_the_source_changes(tmp_path: Path) -> None:
    first = whole(tmp_path)
    assert whole(tmp_path) == first
    changed = whole(tmp_path, LINES.replace("% 8", "% 16"))
    assert changed.multiple == 16


def test_the_module_of_the_scripts_own_family_is_followed(tmp_path: Path) -> None:
    family = """
    from library import train_util
    def sample_images(prompts):
        for prompt_dict in prompts:
            sample_image_inference(train_util.line_to_prompt_dict(prompt_dict))
    def sample_image_inference(prompt_dict):
        seed = prompt_dict.get("seed")
        assert seed is None or seed > 0, "no"
        controlnet_image = prompt_dict.get("controlnet_image")
        image = Image.open(controlnet_image)
        height = max(64, height - height % 16)
        width = max(64, width - width % 16)
    """
    script = "from library import train_util, moon_util\nmoon_util.sample_images([])\n"
    files = {"train.py": script, "library/train_util.py": LINES, "library/moon_util.py": _dedented(family)}
    reader = reader_of(tmp_path, files)
    assert reader is not None
    assert reader.multiple == 16
    assert reader.seed_above_zero
    assert reader.opens_image
    assert not reader.spread
    assert reader.samplers == ()
    assert reader.pipelines == ()
    assert [flag.name for flag in reader.flags] == ["w", "s", "l", "n"]


def test_old_releases_read_lines_where_they_draw(tmp_path: Path) -> None:
    old = """
    import re
    def sample_images(prompts):
        for prompt in prompts:
            prompt_args = prompt.split(" --")
            for parg in prompt_args:
                m = re.match(r'd (\\d+)', parg, re.IGNORECASE)
                if m:
                    seed = int(m.group(1))
                    continue
    """
    reader = reader_of(tmp_path, {"train.py": SCRIPT, "library/train_util.py": _dedented(old)})
    assert reader is not None
    assert [(flag.name, flag.key) for flag in reader.flags] == [("d", "seed")]
    assert not reader.tables
    assert reader.keys == ()
    assert reader.multiple is None


def test_a_script_that_inherits_its_sampling(tmp_path: Path) -> None:
    whole(tmp_path)
    (tmp_path / "mine.py").write_text("import train\nclass Mine(train.Trainer): pass\n", encoding="utf-8")
    reader = read_prompt_reader(tmp_path, "mine.py", cache=tmp_path / "cache")
    assert reader is not None
    assert len(reader.flags) == 4


def test_a_pattern_of_another_form_makes_the_reader_incomplete(tmp_path: Path) -> None:
    more = '            m = re.match(r"(size|area)=(\\d+)x", piece)\n            if m:\n                pass\n'
    lines = LINES.replace('            m = re.match(r"s ', f'{more}            m = re.match(r"s ')
    assert not whole(tmp_path, lines).complete


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"train.py": "print(1)\n"},
        {"train.py": "not python ("},
        {"train.py": SCRIPT},
        {"train.py": SCRIPT, "library/train_util.py": "def sample_images(): pass\n"},
        {"train.py": SCRIPT, "library/train_util.py": LINES.replace('" --"', '" ++"')},
        {"train.py": SCRIPT, "library/train_util.py": LINES.replace("re.match", "mine")},
    ],
)
def test_what_cannot_be_followed_has_no_reader(tmp_path: Path, files: dict[str, str]) -> None:
    assert reader_of(tmp_path, files) is None


FLAGS = (
    PromptFlag("w", "width", r"w (\d+)", "int"),
    PromptFlag("l", "scale", r"l ([\d\.]+)", "float"),
    PromptFlag("n", "negative_prompt", r"n (.+)", "text"),
)


def test_a_line_is_taken_apart_as_the_trainer_does() -> None:
    first, size, scale, negative, unknown = parts_of("a fox --W 512.5 --l 7.5.1 --n bad --width 3", FLAGS)
    assert (first.text, first.flag) == ("a fox", None)
    assert (size.number(), size.rest) == (512, ".5")
    assert scale.number() is None
    assert negative.value == "bad"
    assert unknown.flag is None


@given(st.text(alphabet=" -wln0123456789.\tabc\n\u0661", max_size=60))
def test_any_line_is_taken_apart_without_loss(line: str) -> None:
    parts = parts_of(line, FLAGS)
    assert " --".join(part.text for part in parts) == line
    for part in parts:
        assert part.text.endswith(part.rest)
        assert part.flag is None or part.flag.kind == "text" or isinstance(part.number(), (int, float, type(None)))


def _dedented(text: str) -> str:
    return "\n".join(line[4:] for line in text.splitlines())
