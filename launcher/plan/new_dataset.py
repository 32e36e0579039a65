"""A dataset config and sample prompts for pictures that have none, in the trainer's own form.

The keys are those of library/config_util.py, ConfigSanitizer; the flags of a prompt those of library/train_util.py,
line_to_prompt_dict.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from launcher.base.words import counted
from launcher.data.dataset_look import PictureFolder, are_tags

_EPOCH = 400  # pictures: so many come by in an epoch, each as often as it takes
_EPOCHS, _FEWEST_STEPS = 10, 500
_MOST_REPEATS = 100
_STEPS = 64  # sides of buckets are multiples of it in every script
_LONGEST_PROMPT = 240
_PROMPTS = 2
_COLUMN = 43  # where comments begin


@dataclass(frozen=True)
class NewDataset:
    """What a dataset config is to fit besides its pictures.

    `name` is the dataset folder's own. `side` is the side in pixels of the squares that the base model was trained on,
    `batch_size` the template's. `shuffles` is False where captions must stay as they are, because what the text
    encoders make of them is kept. `needs_words` is False where the trainer makes its own captions. `whole`: every
    picture once, as fine-tuning has it.
    """

    name: str
    side: int
    batch_size: int
    shuffles: bool = True
    needs_words: bool = True
    whole: bool = False


def config_text(folders: Sequence[PictureFolder], new: NewDataset) -> str:
    """A config.toml for these folders, which hold at least one picture."""
    return "".join(f"{line}\n" for line in _config(folders, new))


def prompts_text(folders: Sequence[PictureFolder], new: NewDataset, *, word: str, negative: str) -> str:
    """A sample-prompts.txt: captions of the dataset, or `word` where there are none. `negative` is what to avoid."""
    side = resolution_of(folders, new.side) if folders else new.side
    captions = [] if not new.needs_words else _prompts(folders)
    prompts = captions or [word]
    text = "# One line for each picture. --w and --h: its size; --d: seed; --s: steps"
    text += "; --n: what is not to be seen.\n" if negative else ".\n"
    avoided = f" --n {negative}" if negative else ""
    for seed, prompt in enumerate(prompts, start=1):
        text += f"{prompt} --w {side} --h {side} --d {seed} --s 28{avoided}\n"
    return text


def resolution_of(folders: Sequence[PictureFolder], side: int) -> int:
    """The side of the square whose area the pictures are brought to: the model's own, less where they are smaller."""
    usual = median(_sides(folders) or [side])
    if side <= 512:
        return 768 if usual >= 1024 else side
    return max(side * 3 // 4, min(side, int(usual) // _STEPS * _STEPS))


def pictures_in_epoch(folders: Sequence[PictureFolder], new: NewDataset) -> int:
    """How many pictures come by in an epoch, repeats counted; those of regularization are not."""
    return sum(each.number * _repeats(each, folders, new) for each in folders if not each.regularization)


def sensible_steps(pictures: int, batch_size: int) -> int:
    """How many steps a first run may take: ten epochs, in round hundreds, and enough to learn anything."""
    return max(_FEWEST_STEPS, round(_EPOCHS * pictures / batch_size / 100) * 100)


def batch_size_of(folders: Sequence[PictureFolder], new: NewDataset) -> int:
    """The template's batch size, halved where the pictures are larger than the model's own."""
    larger = resolution_of(folders, new.side) > new.side
    return max(1, new.batch_size // 2 if larger else new.batch_size)


def plain_words(name: str) -> str:
    """A folder's name as words for a prompt: "red-fox" is "red fox"."""
    return " ".join(re.split(r"[-_\s]+", name.strip("-_ "))) or name


def _config(folders: Sequence[PictureFolder], new: NewDataset) -> Iterator[str]:
    side, number = resolution_of(folders, new.side), sum(each.number for each in folders)
    yield f"# What {new.name} trains on: {counted(number, 'picture')}. The form is sd-scripts' own."
    yield ""
    yield "[general]"
    yield _line("enable_bucket", True, "pictures keep their shape")
    small = sum(each < side for each in _sides(folders))
    if small:
        yield _line("bucket_no_upscale", True, f"{small} of {number} are smaller than its resolution, and not blown up")
    extensions = {next(iter(each.captioned), None) for each in folders} - {None}
    if len(extensions) == 1:
        yield _line("caption_extension", extensions.pop() or "", "the trainer's own default is .caption")
    if new.needs_words and new.shuffles:
        yield from _shuffled(folders)
    yield ""
    yield "[[datasets]]"
    yield _line("resolution", side, "the area of a square of this side, in any shape")
    yield _line("batch_size", batch_size_of(folders, new), "more is faster, and takes more memory")
    if not small:  # these two do not count with bucket_no_upscale
        yield _line("min_bucket_reso", side // 2 // _STEPS * _STEPS, "the shortest side")
        yield _line("max_bucket_reso", side * 2, "the longest")
    several = len({next(iter(each.captioned), None) for each in folders} - {None}) > 1
    for folder in folders:
        yield ""
        yield from _subset(folder, folders, new, several=several)


def _shuffled(folders: Sequence[PictureFolder]) -> Iterator[str]:
    captions = tuple(caption for each in folders for caption in each.captions)
    if are_tags(captions):
        yield _line("shuffle_caption", True, "the order of tags means nothing, and is not to be learnt")
        yield _line("keep_tokens", 1, "but the first one stays in front")
    elif captions:
        yield _line("shuffle_caption", False, "sentences, which make no sense in another order")


def _subset(
    folder: PictureFolder, folders: Sequence[PictureFolder], new: NewDataset, *, several: bool
) -> Iterator[str]:
    yield "[[datasets.subsets]]"
    yield _line("image_dir", folder.path)
    repeats = _repeats(folder, folders, new)
    yield _line("num_repeats", repeats, f"an epoch has {counted(folder.number * repeats, 'picture')} of this folder")
    if several and folder.captioned:
        yield _line("caption_extension", next(iter(folder.captioned)))
    if not folder.captioned and new.needs_words:
        yield _line(
            "class_tokens", folder.words or plain_words(new.name), "stands for the captions, which are missing here"
        )
    if folder.regularization:
        yield _line("is_reg", True, "what such things look like in general, not to be forgotten")


def _repeats(folder: PictureFolder, folders: Sequence[PictureFolder], new: NewDataset) -> int:
    if folder.regularization or new.whole:
        return folder.repeats or 1
    number = sum(each.number for each in folders if not each.regularization)
    return folder.repeats or min(_MOST_REPEATS, max(1, round(_EPOCH / max(1, number))))


def _sides(folders: Sequence[PictureFolder]) -> list[float]:
    """Of each picture the side of the square that has its area."""
    return [math.sqrt(width * height) for each in folders for width, height in each.sizes]


def _prompts(folders: Sequence[PictureFolder]) -> list[str]:
    """Some captions as prompts: not two the same, and none with what a prompt would take for something else."""
    captions = [caption for each in folders if not each.regularization for caption in each.captions]
    able = [each for each in captions if not re.search(r"--|[{}]|^#|[\x00-\x1f]", each)]
    apart = able[:: max(1, len(able) // _PROMPTS)]
    return list(dict.fromkeys(map(_shortened, apart)))[:_PROMPTS]


def _shortened(caption: str) -> str:
    if len(caption) <= _LONGEST_PROMPT:
        return caption
    cut = caption[:_LONGEST_PROMPT]
    return (cut.rpartition(",")[0] or cut.rpartition(" ")[0] or cut).strip()


def _line(key: str, value: str | int, why: str = "") -> str:
    line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
    return f"{line:<{_COLUMN}}# {why}".rstrip() if why else line
