"""What a run trains on, as text or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from launcher.base.words import counted
from launcher.cli.render import short
from launcher.data.pictures import Unreadable
from launcher.plan.buckets import RunLength, Size
from launcher.plan.surveyed import DatasetSurvey, SubsetSurvey, Survey

_MOST_TAGS = 20  # shown as text


def dataset_as_text(name: str, survey: Survey, length: RunLength | None, tags: Counter[str]) -> Iterator[str]:
    """Subsets, buckets, how long the run is, and the most frequent tags."""
    pictures = sum(len(subset.trained) for _, subset in survey.subsets)
    yield f"{name}: {counted(pictures, 'picture')}, {counted(survey.images, 'training image')} with repeats"
    for number, dataset in enumerate(survey.datasets):
        yield ""
        yield from _dataset(dataset, number if len(survey.datasets) > 1 else None)
    yield ""
    yield from _length(survey, length)
    if tags:
        yield ""
        yield f"{counted(len(tags), 'tag')}, most frequent first"
        yield from _table([(str(count), tag) for tag, count in tags.most_common(_MOST_TAGS)], "><")


def dataset_as_data(name: str, survey: Survey, length: RunLength | None, tags: Counter[str]) -> dict[str, Any]:
    """The same as JSON holds it, with every tag."""
    return {
        "name": name,
        "images": survey.images,
        "reg_images": survey.reg_images,
        "datasets": [_dataset_as_data(dataset) for dataset in survey.datasets],
        "batches_per_epoch": survey.batches,
        "steps_per_epoch": length.steps_per_epoch if length else None,
        "epochs": length.epochs if length else None,
        "steps": length.steps if length else None,
        "tags": dict(tags.most_common()),
    }


def _dataset(dataset: DatasetSurvey, number: int | None) -> Iterator[str]:
    params = dataset.blueprint.params
    which = "dataset" if number is None else f"dataset {number}"
    resolution = params.get("resolution")
    size = _size((resolution[0], resolution[1])) if isinstance(resolution, (list, tuple)) else "no resolution"
    yield f"{which}: {dataset.kind.value}, {size}, batch size {params.get('batch_size')}"
    rows: list[tuple[str, ...]] = [("  folder", "pictures", "repeats", "images", "captions")]
    rows += [_subset(subset) for subset in dataset.subsets]
    yield from _table(rows, "<>>>>")
    if dataset.reg_images:
        used = sum(entry.repeats for entry in dataset.entries if dataset.subsets[entry.subset].is_reg)
        yield f"  regularization images used: {used}, for {dataset.images} training images"
    if not dataset.exact:
        yield "  validation pictures are drawn at random: without validation_seed the buckets are only an example"
    if dataset.table is None:
        yield f"  no buckets: {dataset.refused}"
        return
    yield ""
    buckets = dataset.table.buckets
    rows = [("  bucket", "pictures", "images", "batches")]
    rows += [(f"  {_size(each.resolution)}", *map(str, (each.pictures, each.count, each.batches))) for each in buckets]
    yield from _table(rows, "<>>>")
    if dataset.table.mean_error is not None:
        yield f"  mean error of the aspect ratio: {dataset.table.mean_error:.6g}"


def _subset(subset: SubsetSurvey) -> tuple[str, ...]:
    params = subset.blueprint.params
    where = short(Path(str(params.get("metadata_file") or params.get("image_dir") or "?")))
    label = f"  {where}{' (regularization)' if subset.is_reg else ''}"
    reason = subset.problem or (subset.ignored.value if subset.ignored else None)
    if reason:
        return (f"{label}: {reason}", "0", str(subset.repeats), "0", "0")
    captions = sum(picture.caption is not None for picture in subset.trained)
    number = len(subset.trained)
    return (label, str(number), str(subset.repeats), str(number * subset.repeats), str(captions))


def _length(survey: Survey, length: RunLength | None) -> Iterator[str]:
    if length is None:
        yield "no steps: there is nothing to train on"
        return
    yield from _table(
        [
            ("batches per epoch", str(length.batches)),
            ("steps per epoch", str(length.steps_per_epoch)),
            ("epochs", str(length.epochs)),
            ("total steps", str(length.steps)),
        ],
        "<>",
    )


def _dataset_as_data(dataset: DatasetSurvey) -> dict[str, Any]:
    params, table = dataset.blueprint.params, dataset.table
    resolution = params.get("resolution")
    return {
        "kind": dataset.kind.value,
        "resolution": list(resolution) if isinstance(resolution, (list, tuple)) else None,
        "batch_size": params.get("batch_size"),
        "images": dataset.images,
        "reg_images": dataset.reg_images,
        "subsets": [_subset_as_data(subset) for subset in dataset.subsets],
        "buckets": [
            {
                "resolution": list(bucket.resolution),
                "pictures": bucket.pictures,
                "images": bucket.count,
                "batches": bucket.batches,
            }
            for bucket in (table.buckets if table else ())
        ],
        "mean_aspect_ratio_error": table.mean_error if table else None,
        "batches": dataset.batches,
        "no_buckets": dataset.refused,
        "exact": dataset.exact,
    }


def _subset_as_data(subset: SubsetSurvey) -> dict[str, Any]:
    params = subset.blueprint.params
    return {
        "image_dir": params.get("image_dir"),
        "metadata_file": params.get("metadata_file"),
        "is_reg": subset.is_reg,
        "num_repeats": subset.repeats,
        "pictures": len(subset.trained),
        "held_back": len(subset.pictures) - len(subset.trained),
        "unreadable": sum(isinstance(picture.size, Unreadable) for picture in subset.pictures if not picture.stated),
        "captions": sum(picture.caption is not None for picture in subset.trained),
        "left_out": subset.problem or (subset.ignored.value if subset.ignored else None),
    }


def _table(rows: Sequence[Sequence[str]], align: str) -> Iterator[str]:
    """Rows in columns, each as wide as its widest cell; `align` has one of < and > per column."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(align))]
    for row in rows:
        cells = zip(row, align, widths, strict=True)
        yield "  ".join(f"{cell:{side}{width}}" for cell, side, width in cells).rstrip()


def _size(size: Size) -> str:
    return f"{size[0]}×{size[1]}"
