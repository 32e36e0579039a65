from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.plan.buckets import (
    BELOW_STEP,
    OUTSIDE_LIMITS,
    Bucket,
    BucketRules,
    Chooser,
    NoBucketsError,
    Place,
    RunLength,
    bucket_resolutions,
    distribute,
    regularization_repeats,
    run_length,
    training_part,
)

SQUARE = BucketRules((512, 512), enable_bucket=True)
KEPT = BucketRules((512, 512), enable_bucket=True, bucket_no_upscale=True)


def test_the_resolutions_of_512() -> None:
    found = bucket_resolutions(SQUARE)
    assert found[0] == (256, 832)
    assert (512, 512) in found
    assert (384, 640) in found
    assert all(width % 64 == height % 64 == 0 and width * height <= 512 * 512 for width, height in found)
    assert {(height, width) for width, height in found} == set(found)


def test_old_releases_count_the_area_in_steps() -> None:
    rules = BucketRules((500, 500), enable_bucket=True, max_bucket_reso=1024, in_steps=True, whole_steps=False)
    assert (448, 448) in bucket_resolutions(rules)
    assert (256, 704) in bucket_resolutions(rules)
    now = BucketRules((500, 500), enable_bucket=True, max_bucket_reso=1024)
    assert (256, 960) in bucket_resolutions(now)
    assert (256, 960) not in bucket_resolutions(rules)


def test_limits_become_whole_steps_or_stay() -> None:
    odd = BucketRules((512, 512), enable_bucket=True, min_bucket_reso=300, max_bucket_reso=1000)
    assert bucket_resolutions(odd)[0][0] == 256
    as_given = BucketRules((512, 512), True, 300, 1000, whole_steps=False)
    assert bucket_resolutions(as_given)[0][0] == 300


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (BucketRules((1024, 1024), True, 256, 900), OUTSIDE_LIMITS),
        (BucketRules((200, 200), True), OUTSIDE_LIMITS),
        (BucketRules((512, 512), True, 32), BELOW_STEP),
        (BucketRules((512, 512), True, bucket_reso_steps=0), "above 0"),
        (BucketRules((0, 512), True), "above 0"),
        (BucketRules((512, 512), True, 1, 10**9, 1), "too small"),
        (BucketRules((0, 0)), "above 0"),
    ],
)
def test_numbers_that_give_no_buckets(rules: BucketRules, reason: str) -> None:
    with pytest.raises(NoBucketsError, match=reason):
        Chooser(rules)


def test_a_limit_that_rounding_lifts_is_high_enough() -> None:
    assert bucket_resolutions(BucketRules((1024, 1024), True, 256, 1000))


@pytest.mark.parametrize(
    ("rules", "size", "place"),
    [
        (BucketRules((512, 768)), (1000, 1000), Place((512, 768), (768, 768), 512 / 768 - 1)),
        (SQUARE, (512, 512), Place((512, 512), (512, 512), 0.0)),
        (SQUARE, (100, 100), Place((512, 512), (512, 512), 0.0)),
        (SQUARE, (1920, 1080), Place((640, 384), (683, 384), 640 / 384 - 1920 / 1080)),
        (KEPT, (100, 200), Place((64, 192), (100, 200), 64 / 192 - 0.5)),
        (KEPT, (1024, 1024), Place((512, 512), (512, 512), 0.0)),
        (KEPT, (1920, 1080), Place((640, 384), (683, 384), 640 / 384 - 1920 / 1080)),
        (KEPT, (1500, 1000), Place((576, 384), (576, 384), 0.0)),
        (KEPT, (40, 200), Place((0, 192), (40, 200), -0.2)),
        (KEPT, (200, 40), None),
        (KEPT, (20000, 20), None),
        (SQUARE, (10, 0), None),
    ],
)
def test_where_pictures_go(rules: BucketRules, size: tuple[int, int], place: Place | None) -> None:
    assert Chooser(rules).place(size) == place


def test_a_size_that_is_a_bucket_goes_there_though_another_has_the_same_ratio() -> None:
    given_sizes = [(1024, 1024), (512, 512)]
    assert Chooser(BucketRules((0, 0)), given_sizes).place((512, 512)) == Place((512, 512), (512, 512), 0.0)
    assert Chooser(BucketRules((0, 0)), given_sizes).place((300, 300)) == Place((1024, 1024), (1024, 1024), 0.0)


@given(
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    resolution=st.tuples(st.integers(256, 1024), st.integers(256, 1024)),
    steps=st.sampled_from([8, 32, 48, 64]),
)
def test_the_nearest_ratio_is_that_of_a_plain_search(
    width: int, height: int, resolution: tuple[int, int], steps: int
) -> None:
    chooser = Chooser(BucketRules(resolution, True, bucket_reso_steps=steps))
    sizes = bucket_resolutions(chooser.rules)
    place = chooser.place((width, height))
    assert place is not None
    wanted = min(sizes, key=lambda size: abs(size[0] / size[1] - width / height))
    assert place.bucket == ((width, height) if (width, height) in sizes else wanted)
    assert place.resized[0] >= place.bucket[0]
    assert place.resized[1] >= place.bucket[1]


@given(width=st.integers(1, 10_000), height=st.integers(1, 10_000))
def test_without_upscaling_nothing_grows(width: int, height: int) -> None:
    place = Chooser(KEPT).place((width, height))
    if place is not None:
        assert place.bucket[0] <= place.resized[0] <= width
        assert place.bucket[1] <= place.resized[1] <= height


def test_batches_never_mix_buckets() -> None:
    pictures = [((512, 512), 3), ((600, 600), 2), ((1000, 499), 1), ((200, 40), 1)]
    table = distribute(pictures, Chooser(KEPT), 2)
    assert table.buckets == (Bucket((512, 512), 2, 5, 3), Bucket((640, 320), 1, 1, 1))
    assert table.batches == 4
    assert table.places[3] is None
    assert table.mean_error == pytest.approx((0 + 0 + abs(640 / 320 - 1000 / 499)) / 3)


def test_no_mean_without_buckets_and_none_of_nothing() -> None:
    assert distribute([((9, 9), 1)], Chooser(BucketRules((512, 512))), 1).mean_error is None
    assert distribute([], Chooser(SQUARE), 1).mean_error == 0.0
    assert distribute([((9, 9), 1)], Chooser(SQUARE), 0).batches == 0


@pytest.mark.parametrize(
    ("repeats", "train", "used"),
    [
        ((1, 1, 1), 7, (3, 2, 2)),
        ((2, 2, 2), 7, (3, 2, 2)),
        ((5, 5, 5), 7, (5, 5, 0)),
        ((5, 5), 5, (5, 0)),
        ((1, 1), 0, (0, 0)),
        ((), 7, ()),
    ],
)
def test_regularization_images_match_training_images(
    repeats: tuple[int, ...], train: int, used: tuple[int, ...]
) -> None:
    assert regularization_repeats(repeats, train) == used


@given(number=st.integers(0, 60), split=st.floats(0, 1), seed=st.integers(0, 2**32))
def test_the_training_part_is_a_seeded_draw(number: int, split: float, seed: int) -> None:
    drawn = list(range(number))
    state = random.getstate()
    random.seed(seed)
    random.shuffle(drawn)
    random.setstate(state)
    assert training_part(number, split, seed) == tuple(drawn[: math.ceil(number * (1 - split))])


def test_without_a_seed_only_the_number_is_known() -> None:
    assert len(training_part(10, 0.25, None)) == 8


@pytest.mark.parametrize(
    ("given_numbers", "length"),
    [
        ({"max_train_steps": 100, "max_train_epochs": None}, RunLength(11, 11, 10, 100)),
        ({"max_train_steps": 100, "max_train_epochs": 3}, RunLength(11, 11, 3, 33)),
        ({"max_train_steps": 0, "max_train_epochs": 3, "accumulation": 4}, RunLength(11, 3, 3, 9)),
        ({"max_train_steps": 0, "max_train_epochs": 2, "accumulation": 2, "processes": 2}, RunLength(11, 3, 2, 6)),
    ],
)
def test_how_long_a_run_is(given_numbers: dict[str, int | None], length: RunLength) -> None:
    assert run_length(11, **given_numbers) == length  # type: ignore[arg-type]


def test_a_run_on_nothing_has_no_length() -> None:
    assert run_length(0, max_train_steps=10, max_train_epochs=None) is None
    assert run_length(5, max_train_steps=10, max_train_epochs=None, accumulation=0) is None
