"""Folders that are not there or empty, and pictures that the trainer fails at or uses otherwise than meant."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from launcher.base.findings import Finding, Severity
from launcher.base.words import counted, some_of
from launcher.data.folders import OTHER_PICTURES, Folder, folders_in, holds_pictures
from launcher.data.picture_cache import look
from launcher.data.picture_headers import Kind as PictureKind
from launcher.data.pictures import PictureSize, Unreadable
from launcher.plan.blueprint import Kind
from launcher.plan.buckets import BELOW_STEP
from launcher.plan.checks import picture_codes as codes
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.dataset_blueprint import not_expanded
from launcher.plan.survey_metadata import CACHE_FILE, MISSING
from launcher.plan.survey_rules import TRAIN_UTIL, SurveyRules, survey_rules
from launcher.plan.surveyed import DatasetSurvey, Entry, Ignored, Picture, SubsetSurvey, Survey
from launcher.trainer.source_text import Evidence

_MOST_PIXELS = 2 * (1024 * 1024 * 1024 // 4 // 3)  # PIL/Image.py: twice MAX_IMAGE_PIXELS is an error
_CORRECT = "Correct image_dir."
_SMALL = 0.5  # of the resolution's area
_SELECTS = Evidence(TRAIN_UTIL, "select_bucket", (r"no_upscale", r"% self\.reso_steps"))
_SUBFOLDERS = 20  # looked into for pictures, to say where they are


def check_pictures(candidate: Candidate, survey: Survey) -> Iterator[Finding]:
    """What is wrong with folders and pictures: one finding per folder and kind, with the first names."""
    yield from once(_findings(candidate, survey))


def once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Each thing once: the same folder may stand in several datasets, in several resolutions."""
    said: set[tuple[str, str]] = set()
    for finding in findings:
        if (finding.code, finding.message) not in said:
            said.add((finding.code, finding.message))
            yield finding


def _findings(candidate: Candidate, survey: Survey) -> Iterator[Finding]:
    rules = survey_rules(candidate)
    said = list(_of_datasets(candidate, survey, rules))
    subsets = [subset for _, subset in survey.subsets]
    # What is wrong with the folder says it all, where there is only one.
    reason = len(subsets) == 1 and subsets[0].ignored and (said or _unexpanded(candidate, subsets[0]))
    if survey.datasets and survey.images == 0 and not reason and not any(subset.problem for subset in subsets):
        yield from _no_data(survey, rules)
    yield from said


def _unexpanded(candidate: Candidate, subset: SubsetSurvey) -> bool:
    """Whether the folder's path holds ~ or a variable: that it is not there was said of the path itself."""
    folder, checkout = label_of(subset), f"{candidate.trainer.checkout}{os.sep}"
    return not_expanded(folder.removeprefix(checkout))


def _of_datasets(candidate: Candidate, survey: Survey, rules: SurveyRules) -> Iterator[Finding]:
    for dataset in survey.datasets:
        for number, subset in enumerate(dataset.subsets):
            entries = [entry for entry in dataset.entries if entry.subset == number]
            yield from _of_subset(candidate, dataset, subset, entries, rules, alone=survey.images == 0)
        yield from _of_dataset(dataset)


def place_of(subset: SubsetSurvey, key: str) -> str | None:
    """Where a parameter of a subset was written, else the subset itself."""
    return subset.blueprint.places.get(key, subset.where)


def label_of(subset: SubsetSurvey) -> str:
    """What a subset is called in messages: its folder or metadata file."""
    params = subset.blueprint.params
    return str(params.get("metadata_file") or params.get("image_dir") or "the subset")


def _no_data(survey: Survey, rules: SurveyRules) -> Iterator[Finding]:
    """A run without training images.

    That there are only regularization images, or that all are kept for validation, is said of the dataset itself.
    """
    found = [subset for _, subset in survey.subsets]
    perhaps = any(_may_have_pictures(subset, rules) for subset in found)
    if found and not perhaps and not any(subset.pictures for subset in found):
        where = place_of(found[0], "image_dir")
        yield codes.NO_DATA.at(where, "There is no picture to train on in any subset.", _CORRECT)


def _of_subset(
    candidate: Candidate,
    dataset: DatasetSurvey,
    subset: SubsetSurvey,
    entries: Sequence[Entry],
    rules: SurveyRules,
    *,
    alone: bool,
) -> Iterator[Finding]:
    if subset.problem:
        yield codes.METADATA.at(subset.where, f"{label_of(subset)}: {subset.problem}.", "Correct or remove the file.")
        return
    if subset.folder is not None and subset.folder.there and dataset.kind is not Kind.FINETUNING:
        yield from _other_formats(subset, subset.folder, rules)
    if subset.ignored:
        yield from _left_out(candidate, subset, rules, alone=alone)
        return
    if subset.from_cache:
        yield from _stale(subset)
    if dataset.kind is Kind.FINETUNING:
        yield from _listed_but_gone(subset)
    yield from _unreadable(candidate, subset)
    if candidate.says(_SELECTS):
        yield from _without_bucket(dataset, subset, entries)
    yield from _one_stem(candidate, subset)
    if dataset.kind is Kind.CONTROLNET:
        yield from _conditioning(dataset, subset, rules)


def _left_out(candidate: Candidate, subset: SubsetSurvey, rules: SurveyRules, *, alone: bool) -> Iterator[Finding]:
    """A subset that the trainer passes over, for its folder's sake."""
    folder, where = label_of(subset), place_of(subset, "image_dir")
    if subset.ignored is Ignored.NO_FOLDER and not _unexpanded(candidate, subset):
        # A relative path of a dataset config was taken from where the trainer runs.
        is_relative = Path(folder).is_relative_to(candidate.trainer.checkout)
        correct = "Correct image_dir: a relative path counts from the trainer's folder." if is_relative else _CORRECT
        yield codes.FOLDER_MISSING.at(where, f"There is no folder {folder}.", correct)
    elif subset.ignored is Ignored.NO_PICTURES and not _may_have_pictures(subset, rules):
        below = _with_pictures_below(subset.folder, rules)
        hint = f"The trainer does not look into folders below it, as {below}." if below else None
        severity = Severity.ERROR if alone else None
        yield codes.FOLDER_EMPTY.at(where, f"There is no picture in {folder}.", hint, severity=severity)


def _may_have_pictures(subset: SubsetSurvey, rules: SurveyRules) -> bool:
    return bool(rules.perhaps and subset.folder and subset.folder.pictures(rules.perhaps))


def _with_pictures_below(folder: Folder | None, rules: SurveyRules) -> str | None:
    if folder is None or not folder.there:
        return None
    names = list(folders_in(folder.path))[:_SUBFOLDERS]
    return next((name for name in names if holds_pictures(folder.join(name), rules.extensions)), None)


def _other_formats(subset: SubsetSurvey, folder: Folder, rules: SurveyRules) -> Iterator[Finding]:
    """Files that look like pictures and are none for the trainer."""
    taken = (*rules.extensions, *rules.perhaps)
    stems = {os.path.splitext(picture.name)[0] for picture in subset.pictures}  # noqa: PTH122 - as the trainer cuts
    found = [
        name
        for name in sorted(folder.files)
        if not name.startswith(".") and not name.endswith(taken)
        for stem, extension in [os.path.splitext(name)]  # noqa: PTH122
        if extension.lower() in OTHER_PICTURES and stem not in stems
    ]
    if found:
        known = ", ".join(each for each in rules.extensions if each.islower())
        message = f"{counted(len(found), 'picture')} in {folder.path} will not be trained on: {some_of(found)}."
        yield codes.OTHER_FORMAT.at(subset.where, message, f"The trainer takes {known}, and these in capitals.")


def _unreadable(candidate: Candidate, subset: SubsetSurvey) -> Iterator[Finding]:
    """Pictures whose header, end or size says that they cannot be loaded."""
    sized = [(picture, picture.size) for picture in subset.trained if not (picture.stated or picture.size == MISSING)]
    for sure in (True, False):
        broken = [(each, size) for each, size in sized if isinstance(size, Unreadable) and size.sure is sure]
        if broken:
            said = some_of(f"{picture.name} ({size.reason})" for picture, size in broken)
            message = f"{counted(len(broken), 'picture')} in {label_of(subset)} cannot be read: {said}."
            severity = None if sure else Severity.WARNING
            yield codes.UNREADABLE.at(subset.where, message, "Replace or remove them.", severity=severity)
    good = [(picture, size) for picture, size in sized if isinstance(size, PictureSize)]
    yield from _cut_off(subset, [(picture, size) for picture, size in good if not size.whole])
    large = [picture.name for picture, size in good if size.width * size.height > _MOST_PIXELS]
    if large and "MAX_IMAGE_PIXELS" not in candidate.source.text(TRAIN_UTIL):
        millions = _MOST_PIXELS // 1_000_000
        number = counted(len(large), "picture")
        message = f"{number} in {label_of(subset)} above {millions} megapixels: {some_of(large)}."
        yield codes.TOO_LARGE.at(subset.where, message, "Make them smaller.")


def _cut_off(subset: SubsetSurvey, cut: Sequence[tuple[Picture, PictureSize]]) -> Iterator[Finding]:
    # A PNG without its last chunk may still hold all of its rows, and Pillow is content with those.
    for png in (False, True):
        names = [picture.name for picture, size in cut if (size.kind is PictureKind.PNG) is png]
        if names:
            message = f"{counted(len(names), 'file')} in {label_of(subset)} cut off: {some_of(names)}."
            hint = "Copy or download them again."
            yield codes.CUT_OFF.at(subset.where, message, hint, severity=Severity.WARNING if png else None)


def _without_bucket(dataset: DatasetSurvey, subset: SubsetSurvey, entries: Sequence[Entry]) -> Iterator[Finding]:
    params = dataset.blueprint.params
    if dataset.table is None or not (params.get("enable_bucket") and params.get("bucket_no_upscale")):
        return
    none = [entry for entry in entries if entry.size and (entry.place is None or 0 in entry.place.bucket)]
    if none:
        said = some_of(f"{entry.picture.name} ({_sides(entry)})" for entry in none)
        message = f"{counted(len(none), 'picture')} in {label_of(subset)} with a side too short for a bucket: {said}."
        hint = f"A bucket has {params.get('bucket_reso_steps')} pixels at least. Remove them, or bucket_no_upscale."
        yield codes.NO_BUCKET.at(subset.where, message, hint)
    width, height = params["resolution"]
    small = [entry for entry in entries if entry.place and 0 not in entry.place.bucket and entry not in none]
    small = [entry for entry in small if entry.place and _area(entry.place.bucket) < width * height * _SMALL]
    if small:
        said = some_of(f"{entry.picture.name} ({_sides(entry)})" for entry in small)
        message = (
            f"{counted(len(small), 'picture')} of {len(entries)} in {label_of(subset)} "
            f"{'has' if len(small) == 1 else 'have'} less than half the pixels of {width}×{height}: {said}."
        )
        yield codes.LEFT_SMALL.at(subset.where, message, "Replace them with larger ones, or remove bucket_no_upscale.")


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _sides(entry: Entry) -> str:
    return f"{entry.size[0]}×{entry.size[1]}" if entry.size else "?"


def _one_stem(candidate: Candidate, subset: SubsetSurvey) -> Iterator[Finding]:
    stems: dict[str, list[str]] = {}
    for picture in subset.trained:
        stems.setdefault(os.path.splitext(picture.path)[0], []).append(picture.name)  # noqa: PTH122
    double = [" and ".join(names) for names in stems.values() if len(names) > 1]
    if double:
        message = f"{counted(len(double), 'stem')} in {label_of(subset)} with several pictures: {some_of(double)}."
        shared = "caption and cached latents" if candidate.value("cache_latents_to_disk") else "caption"
        yield codes.ONE_STEM.at(subset.where, message, f"They share one {shared}: remove or rename one of each.")


def _stale(subset: SubsetSurvey) -> Iterator[Finding]:
    """The trainer's own list against what is in the folder."""
    absent = (picture for picture in subset.pictures if picture.size == MISSING)
    gone = [picture.name for picture in absent if not os.path.lexists(picture.path)]
    hint = f"Remove {CACHE_FILE} from the folder; the next run makes it anew."
    for names, what in ((subset.unlisted, "not in the trainer's list"), (gone, "in the trainer's list, but gone")):
        if names:
            message = f"{counted(len(names), 'picture')} of {label_of(subset)} {what}: {some_of(names)}."
            yield codes.STALE_LIST.at(subset.where, message, hint)


def _listed_but_gone(subset: SubsetSurvey) -> Iterator[Finding]:
    """Pictures of metadata that are nowhere. With a stated size cached latents may stand in for them."""
    gone = [picture.name for picture in subset.pictures if picture.stated is None and picture.size == MISSING]
    caches = subset.folder is not None and any(name.endswith(".npz") for name in subset.folder.files)
    if gone and not caches:
        message = f"{counted(len(gone), 'picture')} named in {label_of(subset)} not there: {some_of(gone)}."
        yield codes.METADATA.at(subset.where, message, "Correct image_dir, or the paths in the metadata.")


def _conditioning(dataset: DatasetSurvey, subset: SubsetSurvey, rules: SurveyRules) -> Iterator[Finding]:
    folder = subset.conditioning
    if folder is None or not folder.there:
        directory = subset.blueprint.params.get("conditioning_data_dir")
        yield codes.CONDITIONING.at(subset.where, f"There is no folder {directory}.", "Correct conditioning_data_dir.")
        return
    names: dict[str, str] = {}
    for name in folder.pictures(rules.extensions):
        names.setdefault(os.path.splitext(name)[0], name)  # noqa: PTH122 - the trainer takes the first one, too
    pictures = {os.path.splitext(picture.name)[0]: picture for picture in subset.pictures}  # noqa: PTH122
    missing = [picture.name for stem, picture in pictures.items() if stem not in names]
    extra = [name for stem, name in names.items() if stem not in pictures]
    for found, what in ((missing, f"without one in {folder.path}"), (extra, f"in {folder.path} without a picture")):
        if found:
            message = f"{counted(len(found), 'picture')} {what}: {some_of(found)}."
            yield codes.CONDITIONING.at(subset.where, message, "Give each picture one of the same name.")
    if not dataset.blueprint.params.get("enable_bucket"):
        return
    sizes = look(folder, sorted(names[stem] for stem in pictures if stem in names), ()).sizes
    other = [
        picture.name
        for stem, picture in pictures.items()
        if stem in names and _differ(picture.size, sizes[names[stem]])
    ]
    if other:
        message = f"{counted(len(other), 'conditioning picture')} of another size than the picture: {some_of(other)}."
        yield codes.CONDITIONING.at(subset.where, message, "Make them the same size.")


def _differ(one: PictureSize | Unreadable, other: PictureSize | Unreadable) -> bool:
    if isinstance(one, Unreadable) or isinstance(other, Unreadable):
        return False
    return (one.width, one.height) != (other.width, other.height)


def _of_dataset(dataset: DatasetSurvey) -> Iterator[Finding]:
    where = dataset.blueprint.where
    if dataset.reg_images > dataset.images > 0:
        message = f"Of {dataset.reg_images} regularization images with repeats only {dataset.images} are used."
        yield codes.REG_UNUSED.at(where, message, "Give the training images more repeats, or these fewer.")
    if dataset.refused == BELOW_STEP:
        place = dataset.blueprint.places.get("min_bucket_reso", where)
        yield codes.NO_BUCKETS.at(place, f"No buckets can be made: {dataset.refused}.", "Raise min_bucket_reso.")
