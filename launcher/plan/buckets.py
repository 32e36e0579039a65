"""Which bucket a picture goes to, how many batches that makes, and how long a run is: the trainer's arithmetic.

Everything here is a function of numbers. The rules are those of library/train_util.py (BucketManager,
BaseDataset.make_buckets, DreamBoothDataset, split_train_val) and library/model_util.py (make_bucket_resolutions);
they were the same from v0.6.6 to v0.10.1, but for what `BucketRules.in_steps` and `whole_steps` say.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Size = tuple[int, int]  # width, height in pixels

OUTSIDE_LIMITS = "the resolution is not between min_bucket_reso and max_bucket_reso"
BELOW_STEP = "min_bucket_reso is smaller than bucket_reso_steps"
_MOST_RESOLUTIONS = 20_000  # more are a mistake: sd-scripts would take minutes to list them, too


@dataclass(frozen=True)
class BucketRules:
    """How a dataset's buckets are made; the words are those of the dataset config.

    `in_steps`: the list of resolutions counts the area in whole steps, as releases before v0.7.1 did. `whole_steps`:
    min_bucket_reso and max_bucket_reso are first made multiples of bucket_reso_steps, as from v0.9.0 on.
    """

    resolution: Size
    enable_bucket: bool = False
    min_bucket_reso: int = 256
    max_bucket_reso: int = 1024
    bucket_reso_steps: int = 64
    bucket_no_upscale: bool = False
    in_steps: bool = False
    whole_steps: bool = True


@dataclass(frozen=True)
class Place:
    """Where one picture goes: its bucket, the size it is resized to before cropping, and by how much the ratio of
    width to height is off."""

    bucket: Size
    resized: Size
    error: float


@dataclass(frozen=True)
class Bucket:
    """One bucket: its resolution, how many pictures are in it, how many with their repeats, and in how many batches."""

    resolution: Size
    pictures: int
    count: int
    batches: int


@dataclass(frozen=True)
class BucketTable:
    """The buckets of a dataset by resolution. `mean_error` is over pictures without repeats, None without buckets.

    `places` has one entry per picture given, None for one that the trainer cannot place (it divides by zero).
    """

    buckets: tuple[Bucket, ...]
    mean_error: float | None
    places: tuple[Place | None, ...]

    @property
    def batches(self) -> int:
        """Batches in one epoch."""
        return sum(bucket.batches for bucket in self.buckets)


class NoBucketsError(Exception):
    """The rules give no buckets: the trainer fails before it looks at a picture."""


def bucket_resolutions(rules: BucketRules) -> tuple[Size, ...]:
    """The resolutions that buckets may have without `bucket_no_upscale`, sorted. Raises NoBucketsError."""
    steps = rules.bucket_reso_steps
    smallest, largest = _limits(rules)
    if smallest < (steps if rules.in_steps else 1):
        raise NoBucketsError(BELOW_STEP)
    if (largest - smallest) // steps > _MOST_RESOLUTIONS:
        raise NoBucketsError("bucket_reso_steps is far too small for max_bucket_reso")
    width, height = rules.resolution
    area = (width // steps) * (height // steps) if rules.in_steps else width * height
    square = int(math.sqrt(area)) * steps if rules.in_steps else int(math.sqrt(area) // steps) * steps
    found = {(square, square)}
    for side in range(smallest, largest + 1, steps):
        other = area // (side // steps) * steps if rules.in_steps else area // side // steps * steps
        other = min(largest, other)
        if other >= smallest or rules.in_steps:
            found |= {(side, other), (other, side)}
    if any(0 in size for size in found):
        raise NoBucketsError("the resolution is smaller than bucket_reso_steps")
    return tuple(sorted(found))


def _limits(rules: BucketRules) -> Size:
    """min_bucket_reso rounded down and max_bucket_reso rounded up to whole steps, or as they are."""
    steps, smallest, largest = rules.bucket_reso_steps, rules.min_bucket_reso, rules.max_bucket_reso
    if steps < 1 or min(rules.resolution) < 1:
        raise NoBucketsError("resolution and bucket_reso_steps must be above 0")
    if rules.whole_steps:
        smallest, largest = smallest - smallest % steps, -(-largest // steps) * steps
    if smallest > min(rules.resolution) or largest < max(rules.resolution):
        raise NoBucketsError(OUTSIDE_LIMITS)
    return smallest, largest


@dataclass
class Chooser:
    """Chooses buckets by one dataset's rules. Raises NoBucketsError when it is made."""

    rules: BucketRules
    given: Sequence[Size] = ()  # fixed resolutions, from metadata of fine tuning
    _sizes: dict[Size, None] = field(default_factory=dict)  # in order; a set would lose it
    _order: tuple[Size, ...] = ()
    _ratios: list[tuple[float, int]] = field(default_factory=list)
    _known: dict[Size, Place | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.given:
            self._sizes = dict.fromkeys(self.given)
        elif not self.rules.enable_bucket:
            if min(self.rules.resolution) < 1:
                raise NoBucketsError("resolution must be above 0")
            self._sizes = {self.rules.resolution: None}
        elif self.rules.bucket_no_upscale:
            _limits(self.rules)  # not used, but refused in the same cases
        else:
            self._sizes = dict.fromkeys(bucket_resolutions(self.rules))
        if any(height == 0 for _, height in self._sizes):
            raise NoBucketsError("a bucket has no height")
        self._order = tuple(self._sizes)
        self._ratios = sorted((width / height, place) for place, (width, height) in enumerate(self._order))

    def place(self, size: Size) -> Place | None:
        """Where a picture of this size goes. None: the trainer divides by zero."""
        if size not in self._known:
            try:
                self._known[size] = self._nearest(size) if self._sizes else self._own(size)
            except (ZeroDivisionError, OverflowError, ValueError):
                self._known[size] = None
        return self._known[size]

    def _nearest(self, size: Size) -> Place:
        """The bucket of this very size, else that of the nearest ratio; the picture is made to cover it."""
        ratio = size[0] / size[1]
        bucket = size if size in self._sizes else self._order[self._nearest_ratio(ratio)]
        wide = ratio > bucket[0] / bucket[1]
        scale = bucket[1] / size[1] if wide else bucket[0] / size[0]
        resized = (int(size[0] * scale + 0.5), int(size[1] * scale + 0.5))
        return Place(bucket, resized, bucket[0] / bucket[1] - ratio)

    def _nearest_ratio(self, ratio: float) -> int:
        """Index of the resolution with the nearest ratio, the first one of several."""
        at = bisect_left(self._ratios, (ratio, -1))
        best: tuple[float, int] | None = None
        for step, start in ((1, at), (-1, at - 1)):
            here = start
            while 0 <= here < len(self._ratios):
                found = (abs(self._ratios[here][0] - ratio), self._ratios[here][1])
                if best is not None and found[0] > best[0]:
                    break
                best = found if best is None else min(best, found)
                here += step
        assert best is not None, "a chooser with fixed sizes has one at least"  # noqa: S101
        return best[1]

    def _own(self, size: Size) -> Place:
        """A bucket as large as the picture allows: made smaller when its area is above the resolution's, never larger.

        Of a picture made smaller, one side becomes a whole number of steps: the one that keeps the ratio better.
        """
        steps, ratio = self.rules.bucket_reso_steps, size[0] / size[1]
        area = self.rules.resolution[0] * self.rules.resolution[1]
        resized = size
        if size[0] * size[1] > area:
            wished_width = math.sqrt(area * ratio)
            width = _down(wished_width, steps)
            off_by_width = abs(width / _down(width / ratio, steps) - ratio)
            height = _down(area / wished_width, steps)
            off_by_height = abs(_down(height * ratio, steps) / height - ratio)
            if off_by_width < off_by_height:
                resized = (width, int(width / ratio + 0.5))
            else:
                resized = (int(height * ratio + 0.5), height)
        bucket = (resized[0] - resized[0] % steps, resized[1] - resized[1] % steps)
        return Place(bucket, resized, bucket[0] / bucket[1] - ratio)


def _down(length: float, steps: int) -> int:
    """A length rounded to whole pixels, then down to whole steps."""
    whole = int(length + 0.5)
    return whole - whole % steps


def distribute(pictures: Iterable[tuple[Size, int]], chooser: Chooser, batch_size: int) -> BucketTable:
    """The bucket table for pictures, each with its size and its repeats.

    A picture that cannot be placed is in no bucket. A batch never mixes buckets, so each bucket ends with a batch that
    may be smaller.
    """
    places: list[Place | None] = []
    counts: dict[Size, list[int]] = {}
    errors: list[float] = []
    for size, repeats in pictures:
        place = chooser.place(size)
        places.append(place)
        if place is None:
            continue
        errors.append(abs(place.error))
        count = counts.setdefault(place.bucket, [0, 0])
        count[0] += 1
        count[1] += repeats
    buckets = tuple(
        Bucket(resolution, number, count, math.ceil(count / batch_size) if batch_size > 0 else 0)
        for resolution, (number, count) in sorted(counts.items())
        if count > 0
    )
    counted = chooser.rules.enable_bucket or bool(chooser.given)
    mean = (math.fsum(errors) / len(errors) if errors else 0.0) if counted else None
    return BucketTable(buckets, mean, tuple(places))


def regularization_repeats(repeats: Sequence[int], train_images: int) -> tuple[int, ...]:
    """How often each regularization image is used: 0 for those left out.

    They are taken in order until there are as many as training images, repeats counted on both sides. Are there too
    few, each in turn is taken once more, again and again.
    """
    used = [0] * len(repeats)
    total = 0
    for place, number in enumerate(repeats):
        if total >= train_images:
            return tuple(used)
        used[place] = number
        total += number
    missing = train_images - total
    if missing > 0 and used:
        rounds, rest = divmod(missing, len(used))
        used = [number + rounds + (place < rest) for place, number in enumerate(used)]
    return tuple(used)


def training_part(number: int, validation_split: float, validation_seed: int | None) -> tuple[int, ...]:
    """Which of `number` pictures are trained on, by index, in the trainer's order; the others are for validation.

    Without a seed they are drawn by a chance that is not known beforehand: then these stand for as many.
    """
    order = list(range(number))
    if validation_seed is not None:
        random.Random(validation_seed).shuffle(order)  # noqa: S311 - the trainer's own draw
    return tuple(order[: math.ceil(number * (1 - validation_split))])


@dataclass(frozen=True)
class RunLength:
    """How long a run is. A step is one update of the weights; `batches` are those of one epoch, over all processes."""

    batches: int
    steps_per_epoch: int
    epochs: int
    steps: int


def run_length(
    batches: int, *, max_train_steps: int, max_train_epochs: int | None, accumulation: int = 1, processes: int = 1
) -> RunLength | None:
    """The length of a run, as train_network.py, train counts it. None when there is nothing to train on.

    Each process takes its share of the batches, `gradient_accumulation_steps` batches make a step, and an epoch ends
    with a step whatever is left over.
    """
    if batches < 1 or accumulation < 1 or processes < 1:
        return None
    per_epoch = math.ceil(math.ceil(batches / processes) / accumulation)
    steps = max_train_steps
    if max_train_epochs is not None:
        steps = max_train_epochs * math.ceil(batches / processes / accumulation)
    return RunLength(batches, per_epoch, math.ceil(steps / per_epoch), steps)
