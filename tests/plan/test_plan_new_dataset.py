from __future__ import annotations

from typing import Any

import pytest
import toml
from hypothesis import given
from hypothesis import strategies as st

from launcher.data.dataset_look import PictureFolder
from launcher.plan.new_dataset import (
    NewDataset,
    config_text,
    pictures_in_epoch,
    plain_words,
    prompts_text,
    resolution_of,
    sensible_steps,
)

TAGS = ("fox, snow, den", "fox, run, tail", "fox, sit, grass")


def _folder(number: int = 20, side: int = 1024, captions: tuple[str, ...] = TAGS, **fields: Any) -> PictureFolder:
    captioned = {".txt": number} if captions else {}
    return PictureFolder(**{
        "path": "/data/fox/img", "number": number, "sizes": ((side, side),) * number, "captioned": captioned,
        "captions": captions, **fields,
    })  # fmt: skip


SDXL = NewDataset("fox", 1024, 2)
SD1 = NewDataset("fox", 512, 4)


def _config(*folders: PictureFolder, new: NewDataset = SDXL) -> Any:
    return toml.loads(config_text(folders, new))


def test_a_config_for_tagged_pictures() -> None:
    assert _config(_folder()) == {
        "general": {
            "enable_bucket": True,
            "caption_extension": ".txt",
            "shuffle_caption": True,
            "keep_tokens": 1,
        },
        "datasets": [
            {
                "resolution": 1024,
                "batch_size": 2,
                "min_bucket_reso": 512,
                "max_bucket_reso": 2048,
                "subsets": [{"image_dir": "/data/fox/img", "num_repeats": 20}],
            }
        ],
    }


def test_sentences_are_not_shuffled_and_what_is_kept_must_not_be() -> None:
    sentences = ("a fox in the snow",)
    assert _config(_folder(captions=sentences))["general"]["shuffle_caption"] is False
    cached = _config(_folder(), new=NewDataset("fox", 1024, 2, shuffles=False))
    assert "shuffle_caption" not in cached["general"]


def test_pictures_without_captions_get_words() -> None:
    (dataset,) = _config(_folder(captions=()))["datasets"]
    assert dataset["subsets"][0]["class_tokens"] == "fox"
    (dataset,) = _config(_folder(captions=(), words="red fox", repeats=5))["datasets"]
    assert dataset["subsets"] == [{"image_dir": "/data/fox/img", "num_repeats": 5, "class_tokens": "red fox"}]
    (dataset,) = _config(_folder(captions=()), new=NewDataset("fox", 512, 4, needs_words=False))["datasets"]
    assert "class_tokens" not in dataset["subsets"][0]


def test_folders_with_other_captions_say_so_themselves() -> None:
    config = _config(_folder(), _folder(path="/b", captioned={".caption": 20}))
    assert "caption_extension" not in config["general"]
    assert [each["caption_extension"] for each in config["datasets"][0]["subsets"]] == [".txt", ".caption"]


def test_regularization_is_told() -> None:
    subsets = _config(_folder(), _folder(100, path="/reg", captions=(), regularization=True))["datasets"][0]["subsets"]
    assert subsets[1] == {"image_dir": "/reg", "num_repeats": 1, "class_tokens": "fox", "is_reg": True}
    assert subsets[0]["num_repeats"] == 20


@pytest.mark.parametrize(
    ("side", "pictures", "resolution"),
    [
        (1024, 1024, 1024), (1024, 4000, 1024), (1024, 900, 896), (1024, 500, 768),
        (512, 512, 512), (512, 300, 512), (512, 1000, 512), (512, 1024, 768),
    ],
)  # fmt: skip
def test_the_resolution_goes_by_model_and_pictures(side: int, pictures: int, resolution: int) -> None:
    assert resolution_of([_folder(side=pictures)], side) == resolution


def test_small_pictures_are_not_blown_up_and_large_ones_take_smaller_batches() -> None:
    small = _config(_folder(side=600))
    assert small["general"]["bucket_no_upscale"] is True
    assert "max_bucket_reso" not in small["datasets"][0]
    large = _config(_folder(side=2000), new=SD1)
    assert (large["datasets"][0]["resolution"], large["datasets"][0]["batch_size"]) == (768, 2)
    assert _config(_folder(side=512), new=SD1)["datasets"][0]["batch_size"] == 4


def test_pictures_whose_size_is_not_known_are_taken_as_the_models_own() -> None:
    assert _config(_folder(sizes=()))["datasets"][0]["resolution"] == 1024


@pytest.mark.parametrize(("number", "repeats"), [(1, 100), (20, 20), (48, 8), (300, 1), (5000, 1)])
def test_repeats_make_an_epoch_of_some_four_hundred(number: int, repeats: int) -> None:
    assert _config(_folder(number))["datasets"][0]["subsets"][0]["num_repeats"] == repeats
    assert pictures_in_epoch([_folder(number)], SDXL) == number * repeats


def test_fine_tuning_takes_every_picture_once() -> None:
    whole = NewDataset("fox", 1024, 1, whole=True)
    assert _config(_folder(20), new=whole)["datasets"][0]["subsets"][0]["num_repeats"] == 1


def test_steps_are_ten_epochs_in_round_hundreds() -> None:
    assert sensible_steps(400, 2) == 2000
    assert sensible_steps(399, 1) == 4000
    assert sensible_steps(1, 8) == 500


def test_prompts_are_captions_that_a_prompt_can_be() -> None:
    folder = _folder(captions=("--w 5 fox", "{a|b}", "# none", "fox, snow", "fox, snow", "fox, den"))
    text = prompts_text([folder], SDXL, word="fox", negative="blurry")
    lines = text.splitlines()
    assert lines[0].startswith("# ")
    assert lines[1:] == [
        "fox, snow --w 1024 --h 1024 --d 1 --s 28 --n blurry",
        "fox, den --w 1024 --h 1024 --d 2 --s 28 --n blurry",
    ]


def test_without_captions_the_word_is_drawn() -> None:
    assert prompts_text([_folder(captions=())], SDXL, word="red fox", negative="").splitlines()[1:] == [
        "red fox --w 1024 --h 1024 --d 1 --s 28"
    ]
    assert "sks --w 512" in prompts_text([], SD1, word="sks", negative="")


def test_a_long_caption_is_cut_between_tags() -> None:
    text = prompts_text([_folder(captions=("fox, " * 100,))], SDXL, word="", negative="")
    assert text.splitlines()[1].startswith("fox, fox") and ", --w" not in text
    assert len(text.splitlines()[1]) < 300


def test_a_folders_name_as_words() -> None:
    assert [plain_words(name) for name in ("fox", "red-fox_2", "_x_", "--")] == ["fox", "red fox 2", "x", "--"]


_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/\x7f"), min_size=1, max_size=30)


@given(
    path=_NAMES,
    words=_NAMES,
    captions=st.lists(st.text(st.characters(codec="utf-8"), max_size=400), max_size=5),
    sizes=st.lists(st.tuples(st.integers(1, 20000), st.integers(1, 20000)), max_size=5),
    side=st.sampled_from([512, 1024]),
)
def test_whatever_the_pictures_are_the_trainer_can_read_what_is_written(
    path: str, words: str, captions: list[str], sizes: list[tuple[int, int]], side: int
) -> None:
    folder = _folder(7, captions=tuple(captions), path=f"/{path}", words=words, sizes=tuple(sizes))
    (dataset,) = toml.loads(config_text([folder], NewDataset("fox", side, 2)))["datasets"]
    assert dataset["subsets"][0]["image_dir"] == f"/{path}"
    assert dataset["resolution"] % 64 == 0
    lines = prompts_text([folder], NewDataset("fox", side, 2), word="fox", negative="").split("\n")
    assert lines[0].startswith("#") and lines[-1] == "" and 3 <= len(lines) <= 4
    assert all(line.count(" --w ") == 1 and "\r" not in line for line in lines[1:-1])
