"""Looks at everything that a run trains on: folders, pictures, captions, and the buckets they make."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from launcher.data.captions import Caption, candidates, read_caption, with_dot
from launcher.data.folders import Folder, read_folder
from launcher.data.picture_cache import Progress, look
from launcher.data.picture_headers import Kind as PictureKind
from launcher.data.pictures import Unreadable
from launcher.plan.blueprint import Blueprint, DatasetBlueprint, Kind, SubsetBlueprint
from launcher.plan.buckets import (
    BucketRules,
    Chooser,
    NoBucketsError,
    RunLength,
    Size,
    distribute,
    regularization_repeats,
    run_length,
    training_part,
)
from launcher.plan.checks.candidate import Candidate
from launcher.plan.survey_metadata import cached_pictures, metadata_pictures
from launcher.plan.survey_rules import SurveyRules, survey_rules
from launcher.plan.surveyed import DatasetSurvey, Entry, Ignored, Picture, SubsetSurvey, Survey


def survey_of(candidate: Candidate, *, progress: Progress | None = None) -> Survey:
    """Everything that the candidate trains on, by the rules of its checkout; empty without a blueprint."""
    blueprint = candidate.blueprint or Blueprint(())
    return survey(blueprint, survey_rules(candidate) if blueprint.datasets else None, progress=progress)


def survey(blueprint: Blueprint, rules: SurveyRules | None = None, *, progress: Progress | None = None) -> Survey:
    """Everything that a blueprint's datasets train on. `progress` is told how many files of a folder were looked at.

    Nothing is raised: what cannot be read is part of the result.
    """
    look_around = _Look(rules or SurveyRules(), progress)
    return Survey(tuple(_dataset(dataset, look_around) for dataset in blueprint.datasets))


def length_of(found: Survey, candidate: Candidate) -> RunLength | None:
    """How long the run is. None when it trains on nothing, or a number that counts is none."""
    epochs = candidate.value("max_train_epochs")
    steps = candidate.value("max_train_steps")
    accumulation = candidate.value("gradient_accumulation_steps")
    flags = {argument.name.replace("-", "_"): argument.value for argument in candidate.accelerate}
    processes = as_int(flags.get("num_processes"), 1)
    if epochs is None and not isinstance(steps, int):
        return None
    return run_length(
        found.batches,
        max_train_steps=as_int(steps, 0),
        max_train_epochs=None if epochs is None else as_int(epochs, 0),
        accumulation=as_int(accumulation, 1),
        processes=processes,
    )


def tags_of(found: Survey) -> Counter[str]:
    """How often each tag is used in all captions, without repeats: train_util.py, set_tag_frequency."""
    counts: Counter[str] = Counter()
    for _, subset in found.subsets:
        for picture in subset.trained if not subset.ignored else ():
            counts.update(tag for each in picture.text.split(",") if (tag := each.strip().lower()))
    return counts


def as_int(value: Any, default: int) -> int:
    """A whole number as a setting gives it, a text too; the default for anything else."""
    try:
        return default if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return default


@dataclass(frozen=True)
class _Look:
    """One survey. Several datasets may have one folder, in several resolutions: it is looked at once."""

    rules: SurveyRules
    progress: Progress | None
    pictures: dict[tuple[Any, ...], tuple[Picture, ...]] = field(default_factory=dict)

    def at(self, folder: Folder, params: Mapping[str, Any]) -> tuple[Picture, ...]:
        """The pictures of a folder, with captions as the subset's parameters say."""
        asked = ("caption_extension", "enable_wildcard", "class_tokens")
        key = (folder.path, *(str(params.get(name)) for name in asked))
        if key not in self.pictures:
            self.pictures[key] = _in_folder(folder, params, self.rules, self.progress)
        return self.pictures[key]


def _dataset(blueprint: DatasetBlueprint, around: _Look) -> DatasetSurvey:
    subsets: list[SubsetSurvey] = []
    split = blueprint.params.get("validation_split")
    split = float(split) if isinstance(split, (int, float)) and blueprint.kind is not Kind.FINETUNING else 0.0
    seed = blueprint.params.get("validation_seed")
    for each in blueprint.subsets:
        found = _subset(each, blueprint.kind, around)
        if not found.ignored and split > 0 and not found.is_reg:
            part = training_part(len(found.pictures), split, seed if isinstance(seed, int) else None)
            found = replace(found, trained=tuple(found.pictures[place] for place in part))
        subsets.append(found)
    return _in_buckets(blueprint, subsets, around.rules, exact=not (split > 0 and not isinstance(seed, int)))


def _subset(blueprint: SubsetBlueprint, kind: Kind, around: _Look) -> SubsetSurvey:
    params = blueprint.params
    repeats = as_int(params.get("num_repeats"), 1)
    directory = params.get("image_dir")
    folder = read_folder(directory) if isinstance(directory, str) else None
    empty = SubsetSurvey(blueprint, folder, repeats=repeats, is_reg=bool(params.get("is_reg")))
    if kind is Kind.FINETUNING:
        found = metadata_pictures(blueprint, around.rules, around.progress)
        ignored = Ignored.NO_PICTURES if not found.pictures and not found.problem else None
        pictures = found.pictures
        return replace(empty, pictures=pictures, trained=pictures, ignored=ignored, problem=found.problem)
    if folder is None or not folder.there:
        return replace(empty, ignored=Ignored.NO_FOLDER)
    if kind is Kind.CONTROLNET:
        conditioning = params.get("conditioning_data_dir")
        empty = replace(empty, conditioning=read_folder(conditioning) if isinstance(conditioning, str) else None)
    listed = around.at(folder, params)
    cached = cached_pictures(folder) if params.get("cache_info") else None
    if cached is not None:
        names = {picture.name for picture in cached.pictures}
        unlisted = tuple(picture.name for picture in listed if picture.name not in names)
        known = {picture.name: picture.size for picture in listed}
        listed = tuple(replace(each, size=known.get(each.name, each.size)) for each in cached.pictures)
        empty = replace(empty, from_cache=True, unlisted=unlisted, problem=cached.problem)
    ignored = None if listed or empty.problem else Ignored.NO_PICTURES
    return replace(empty, pictures=listed, trained=listed, ignored=ignored)


def _in_folder(
    folder: Folder, params: Mapping[str, Any], rules: SurveyRules, progress: Progress | None
) -> tuple[Picture, ...]:
    """The pictures of a folder with their captions."""
    names = folder.pictures(rules.extensions)
    extension = with_dot(str(params.get("caption_extension") or ""))
    beside = {name: _caption_name(folder, name, extension) for name in names}
    facts = look(folder, names, [found for found in dict.fromkeys(beside.values()) if found], progress=progress)
    elsewhere: dict[str, Caption | None] = {}

    def caption_of(name: str) -> Caption | None:
        found = beside[name]
        if found:
            return facts.captions[found]
        # A folder with underscores in its own path: the shortened one may lead out of it.
        shortened = candidates(folder.join(name), extension)[1:]
        for path in shortened:
            if path not in elsewhere:
                elsewhere[path] = read_caption(path) if os.path.isfile(path) else None  # noqa: PTH113 - a text
        return next((caption for path in shortened if (caption := elsewhere[path])), None)

    wildcards = bool(params.get("enable_wildcard"))
    without = str(params.get("class_tokens") or "")
    pictures = []
    for name in names:
        caption = caption_of(name)
        text = caption.used(wildcards=wildcards) if caption else without
        pictures.append(Picture(folder.join(name), facts.sizes[name], caption, text))
    return tuple(pictures)


def _caption_name(folder: Folder, name: str, extension: str) -> str | None:
    """The name of a picture's caption file in its own folder."""
    plain = os.path.splitext(name)[0] + extension  # noqa: PTH122 - as the trainer cuts
    if plain in folder.files:
        return plain
    for path in candidates(folder.join(name), extension)[1:]:
        head, tail = os.path.split(path)
        if tail in folder.files and folder.join(tail) == os.path.join(head, tail):  # noqa: PTH118 - texts
            return tail
    return None


def _in_buckets(
    blueprint: DatasetBlueprint, subsets: Sequence[SubsetSurvey], rules: SurveyRules, *, exact: bool
) -> DatasetSurvey:
    """The dataset with its pictures in buckets."""
    used = [(number, subset) for number, subset in enumerate(subsets) if not subset.ignored]
    images = sum(len(subset.trained) * subset.repeats for _, subset in used if not subset.is_reg)
    reg_images = sum(len(subset.trained) * subset.repeats for _, subset in used if subset.is_reg)
    registered: dict[str, tuple[Picture, int, int]] = {}  # a picture given twice is there once, with the later repeats
    for number, subset in used:
        if not subset.is_reg:
            registered.update({each.path: (each, number, subset.repeats) for each in subset.trained})
    reg = [(each, number, subset.repeats) for number, subset in used if subset.is_reg for each in subset.trained]
    for (each, number, _), repeats in zip(reg, regularization_repeats([r for *_, r in reg], images), strict=True):
        if repeats:
            registered[each.path] = (each, number, repeats)
    entries = [Entry(p, number, repeats, _size(p, rules), None) for p, number, repeats in registered.values()]
    refused = None
    table = None
    try:
        chooser = _chooser(blueprint, entries, rules)
        sized = [(entry.size, entry.repeats) for entry in entries if entry.size]
        table = distribute(sized, chooser, as_int(blueprint.params.get("batch_size"), 1))
        places = iter(table.places)
        entries = [replace(entry, place=next(places)) if entry.size else entry for entry in entries]
    except NoBucketsError as error:
        refused = str(error)
    return DatasetSurvey(blueprint, tuple(subsets), tuple(entries), table, images, reg_images, refused, exact)


def _chooser(blueprint: DatasetBlueprint, entries: Sequence[Entry], rules: SurveyRules) -> Chooser:
    """What chooses the dataset's buckets. Raises NoBucketsError."""
    params = blueprint.params
    if blueprint.kind is Kind.FINETUNING and rules.train_resolution and entries:
        stated = [entry.picture.stated for entry in entries if entry.picture.stated]
        if len(stated) == len(entries):
            return Chooser(BucketRules((0, 0)), stated)
    resolution = params.get("resolution")
    if not isinstance(resolution, (list, tuple)) or len(resolution) != 2:
        raise NoBucketsError("there is no resolution")
    return Chooser(
        BucketRules(
            (as_int(resolution[0], 0), as_int(resolution[1], 0)),
            bool(params.get("enable_bucket")),
            as_int(params.get("min_bucket_reso"), 256),
            as_int(params.get("max_bucket_reso"), 1024),
            as_int(params.get("bucket_reso_steps"), 64),
            bool(params.get("bucket_no_upscale")),
            rules.in_steps,
            rules.whole_steps,
        )
    )


def _size(picture: Picture, rules: SurveyRules) -> Size | None:
    """The size that the trainer goes by; None where it finds none."""
    if picture.stated is not None:
        return picture.stated
    size = picture.size
    if isinstance(size, Unreadable):
        return None
    less = rules.webp_one_less and size.kind is PictureKind.WEBP_EXTENDED
    return (size.width - 1, size.height - 1) if less else (size.width, size.height)
