"""Captions that the trainer stops at, never reads, or reads otherwise than meant."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from launcher.base.findings import Code, Finding, Severity
from launcher.base.words import counted, some_of
from launcher.data.captions import Trouble, candidates, with_dot
from launcher.data.folders import OTHER_PICTURES, Folder
from launcher.plan.blueprint import Kind
from launcher.plan.checks import caption_codes as codes
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.pictures import label_of, once, place_of
from launcher.plan.survey_rules import TRAIN_UTIL
from launcher.plan.surveyed import DatasetSurvey, Picture, SubsetSurvey, Survey
from launcher.trainer.source_text import Evidence

_TEXTS = (".txt", ".caption", ".tags", ".cap", ".text")
# Texts that people keep beside their pictures.
_NO_CAPTION = re.compile(
    r"^(read.?me|licen[cs]e|notes?|todo|changelog|sample|prompts?|config|tags?|log|requirements|info|index|meta)",
    re.IGNORECASE,
)
_STOPS_AT_EMPTY = Evidence(TRAIN_UTIL, "read_caption", (r"assert len\(lines\) > 0",))
_READS_UTF8 = Evidence(TRAIN_UTIL, "read_caption", (r"open\(cap_path, \"rt\", encoding=\"utf-8\"\)", r"raise e"))
_FIRST_LINE = Evidence(TRAIN_UTIL, "read_caption", (r"lines\[0\]\.strip\(\)",))
_TAKES_APART = Evidence(TRAIN_UTIL, "process_caption", (r"\[: subset\.keep_tokens\]",))
_HAS_SEPARATOR = Evidence(TRAIN_UTIL, "process_caption", (r"keep_tokens_separator in caption",))
_MIXES_UP = Evidence(
    TRAIN_UTIL,
    "load_dreambooth_dir",
    (r"img_paths, sizes = split_train_val\(", r"captions = \[meta\[\"caption\"\] for meta in metas\.values\(\)\]"),
)
_SHUFFLING = ("shuffle_caption", "caption_tag_dropout_rate", "token_warmup_step")


def check_captions(candidate: Candidate, survey: Survey) -> Iterator[Finding]:
    """What is wrong with captions: one finding per folder and kind, with the first names."""
    if not any(candidate.value(option) for option in ("use_object_template", "use_style_template")):
        yield from once(_findings(candidate, survey))  # else textual inversion writes the captions itself


def _findings(candidate: Candidate, survey: Survey) -> Iterator[Finding]:
    for dataset, subset in survey.subsets:
        if subset.ignored or subset.problem:
            continue
        if dataset.kind is not Kind.FINETUNING and subset.folder is not None and not subset.from_cache:
            yield from _files(candidate, subset)
            yield from _missing(subset)
            yield from _alone(subset, subset.folder)
        yield from _kept(candidate, subset)
        yield from _mixed_up(candidate, dataset, subset)


def _files(candidate: Candidate, subset: SubsetSurvey) -> Iterator[Finding]:
    """Caption files by themselves."""
    hints = {
        Trouble.EMPTY: (codes.EMPTY, "of 0 bytes", "Write a caption into each, or remove the file.", _STOPS_AT_EMPTY),
        Trouble.NOT_UTF8: (codes.NOT_UTF8, "not in UTF-8", "Save them as UTF-8.", _READS_UTF8),
        Trouble.UNREADABLE: (codes.UNREADABLE, "that cannot be read", "Correct their permissions.", _READS_UTF8),
    }
    for trouble, (code, what, hint, evidence) in hints.items():
        found = [each for each in subset.trained if each.caption and each.caption.trouble is trouble]
        if found and candidate.says(evidence):
            yield _about(code, subset, found, f"with a caption file {what}", hint)
    sound = [each for each in subset.trained if each.caption and each.caption.trouble is None]
    blank = [each for each in sound if not each.text]
    if blank and candidate.says(_FIRST_LINE):
        hint = "Write the caption into the first line, or remove the file."
        yield _about(codes.BLANK, subset, blank, "with a blank caption", hint)
    more = [each for each in sound if each.text and each.caption and each.caption.first_line_only]
    if more and not subset.blueprint.params.get("enable_wildcard") and candidate.says(_FIRST_LINE):
        hint = "Put all words into one line, or set enable_wildcard = true to draw one line each time."
        yield _about(codes.LINES, subset, more, "with more lines than the first in their caption", hint)


def _missing(subset: SubsetSurvey) -> Iterator[Finding]:
    """Pictures without a caption file: those with one of another extension first."""
    without = [picture for picture in subset.trained if picture.caption is None]
    tokens = subset.blueprint.params.get("class_tokens")
    extension = _extension(subset)
    named = extension or "caption"
    other = Counter(found for picture in without if (found := _other_text(subset, picture)))
    if other:
        words = f"trained on as {tokens!r}" if tokens else "trained on without words"
        others = " and ".join(f"{count} a {ending} file" for ending, count in other.most_common(3))
        message = (
            f"{len(without)} of {len(subset.trained)} pictures in {label_of(subset)} have no {named} file, but "
            f"{others}; they would be {words}."
        )
        where = place_of(subset, "caption_extension")
        hint = _hint(other, extension, mixed=len(without) < len(subset.trained))
        # Class tokens that somebody wrote may be all that is meant; a folder's name is always one.
        places = subset.blueprint.places
        written = places.get("class_tokens") not in (None, places.get("image_dir"))
        severity = Severity.WARNING if tokens and written else None
        yield codes.EXTENSION.at(where, message, hint, severity=severity)
    rest = [picture for picture in without if not _other_text(subset, picture)]
    # Class tokens for every picture are a way to train; for some of them they stand in for a file that is missing.
    if rest and not (tokens and len(without) == len(subset.trained)):
        hint = (
            f"They are trained on as {tokens!r}." if tokens else f"Write a {named} file for each, or set class_tokens."
        )
        yield _about(codes.MISSING, subset, rest, f"without a {named} file", hint)


def _hint(other: Counter[str], extension: str, *, mixed: bool) -> str:
    ending = other.most_common(1)[0][0]
    if ending.count(".") > 1:
        return f"Name them after the picture without its extension, as fox{extension or '.txt'}."
    if len(other) > 1:
        return f"Give all caption files one extension, and set caption_extension to it, as {ending!r}."
    if mixed:
        return f"Rename them to {extension}: a subset has captions of one extension."
    return f'Set caption_extension = "{ending}".'


def _other_text(subset: SubsetSurvey, picture: Picture) -> str | None:
    """The ending of a text beside a picture that would be its caption under another extension or name."""
    folder = subset.folder
    if folder is None:
        return None
    stem, own = os.path.splitext(picture.name)  # noqa: PTH122 - as the trainer cuts
    found = next((ending for ending in _TEXTS if f"{stem}{ending}" in folder.files), None)
    doubled = next((own + ending for ending in _TEXTS if f"{picture.name}{ending}" in folder.files), None)
    return found or doubled


def _alone(subset: SubsetSurvey, folder: Folder) -> Iterator[Finding]:
    """Caption files that belong to no picture, where captions are used at all."""
    extension = _extension(subset)
    if not extension or all(picture.caption is None for picture in subset.pictures):
        return
    used = {os.path.basename(path) for each in subset.pictures for path in candidates(each.path, extension)}  # noqa: PTH119
    others = {
        os.path.splitext(name)[0]  # noqa: PTH122
        for name in folder.files
        if os.path.splitext(name)[1].lower() in OTHER_PICTURES  # noqa: PTH122
    }
    found = [
        name
        for name in sorted(folder.files)
        if name.endswith(extension) and name not in used and not name.startswith(".") and not _NO_CAPTION.match(name)
        if name.removesuffix(extension) not in others and name.removesuffix(extension) not in folder.files
    ]
    if found:
        message = f"{counted(len(found), 'caption')} in {label_of(subset)} without a picture: {some_of(found)}."
        yield codes.ALONE.at(subset.where, message, "Add the picture, or remove the file.")


def _kept(candidate: Candidate, subset: SubsetSurvey) -> Iterator[Finding]:
    """keep_tokens and keep_tokens_separator against the tags that captions have."""
    params = subset.blueprint.params
    keep, mark = params.get("keep_tokens"), params.get("keep_tokens_separator")
    mark = mark if isinstance(mark, str) and candidate.says(_HAS_SEPARATOR) else None
    worded = [picture for picture in subset.trained if picture.caption and picture.text]
    if not any(params.get(option) for option in _SHUFFLING) or not worded:
        return
    if mark and not any(mark in _whole(picture, params) for picture in worded):
        message = f"{mark!r} stands in no caption of {label_of(subset)}."
        hint = "Put it behind the tags to keep in every caption, or remove keep_tokens_separator."
        yield codes.SEPARATOR.at(place_of(subset, "keep_tokens_separator"), message, hint)
    if not isinstance(keep, int) or keep < 1 or not candidate.says(_TAKES_APART):
        return
    short = [picture for picture in worded if _fewest_tags(picture, params, mark) < keep]
    if short:
        message = (
            f"{len(short)} of {len(worded)} captions in {label_of(subset)} have fewer tags than keep_tokens ({keep}): "
            f"{some_of(picture.name for picture in short)}."
        )
        yield codes.KEEP_TOKENS.at(place_of(subset, "keep_tokens"), message, "Lower keep_tokens.")


def _whole(picture: Picture, params: Any) -> str:
    """The caption with prefix and suffix, as it is taken apart."""
    parts = (params.get("caption_prefix"), picture.text, params.get("caption_suffix"))
    return " ".join(part for part in parts if part)


def _fewest_tags(picture: Picture, params: Any, mark: str | None) -> float:
    """How many tags the shortest line has; endless where they are not counted, or not known before they are drawn."""
    separator, whole = str(params.get("caption_separator") or ","), _whole(picture, params)
    wildcards = bool(params.get("enable_wildcard"))
    if (mark and mark in whole) or (wildcards and "{" in whole):
        return float("inf")
    lines = whole.split("\n") if wildcards else [whole.partition("\n")[0]]
    return min(len(line.strip().split(separator)) for line in lines)


def _mixed_up(candidate: Candidate, dataset: DatasetSurvey, subset: SubsetSurvey) -> Iterator[Finding]:
    split = dataset.blueprint.params.get("validation_split")
    cached = subset.blueprint.params.get("cache_info")
    if cached and split and not subset.is_reg and dataset.kind is not Kind.FINETUNING and candidate.says(_MIXES_UP):
        message = f"cache_info and validation_split together mix up the captions of {label_of(subset)}."
        yield codes.MIXED_UP.at(place_of(subset, "cache_info"), message, "Remove one of the two.")


def _about(code: Code, subset: SubsetSurvey, found: Sequence[Picture], what: str, hint: str) -> Finding:
    names = some_of(picture.name for picture in found)
    message = f"{len(found)} of {len(subset.trained)} pictures in {label_of(subset)} {what}: {names}."
    return code.at(subset.where, message, hint)


def _extension(subset: SubsetSurvey) -> str:
    return with_dot(str(subset.blueprint.params.get("caption_extension") or ""))
