from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import toml
from hypothesis import given, settings
from hypothesis import strategies as some

from launcher.record.dataset import (
    DATASET,
    DatasetFile,
    DatasetFolder,
    DatasetListing,
    changed_between,
    dataset_bytes,
    dataset_record,
    hashed,
    read_dataset_file,
)
from launcher.record.dataset_folders import extensions_of
from launcher.record.dataset_now import dataset_of_run
from launcher.record.hashes import Stopped, never
from launcher.record.manifest import Manifest, OptionRecord, TrainerRecord, read_manifest, write_manifest

NOT_UTF8 = os.fsdecode(b"\xff.png")


class Bed:
    """A run directory and a folder for pictures beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "out" / "fox-v1s4"
        self.run.mkdir(parents=True)
        self.checkout = folder / "sd-scripts"
        self.checkout.mkdir()

    def write(self, name: str, content: str | bytes = b"x") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def manifest(self, config: Any = None, **options: Any) -> Manifest:
        if config is not None:
            (self.run / "config.toml").write_text(toml.dumps(config))
            options["dataset_config"] = str(self.run / "config.toml")
        records = tuple(OptionRecord(name, value) for name, value in options.items())
        return Manifest(name="fox-v1s4", trainer=TrainerRecord(str(self.checkout)), python="/none", options=records)

    def listed(self, config: Any = None, **options: Any) -> DatasetListing:
        return dataset_of_run(self.run, self.manifest(config, **options))


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def names(listing: DatasetListing) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """What was found, by the folder's name and role."""
    return {
        (Path(folder.path).name, folder.role): [(file.name, file.kind) for file in folder.files]
        for folder in listing.folders
    }


def subset(folder: Path, **more: Any) -> dict[str, Any]:
    return {"image_dir": str(folder), **more}


def config(*subsets: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"datasets": [{"subsets": list(subsets)}], **more}


def test_pictures_and_their_captions_are_listed(bed: Bed) -> None:
    for name in (
        "b.png",
        "a.jpg",
        "a.txt",
        "b.txt",
        "c.webp",
        "c.caption",
        "notes.txt",
        ".hidden.png",
        "d.gif",
        "a.npz",
    ):
        bed.write(f"img/{name}")
    bed.write("img/below/e.png")
    found = bed.listed(config(subset(bed.folder / "img", caption_extension="txt")))
    assert names(found) == {
        ("img", "images"): [
            ("a.jpg", "picture"), ("a.txt", "caption"), ("b.png", "picture"), ("b.txt", "caption"),
            ("c.webp", "picture"),
        ]
    }  # fmt: skip
    assert found.problems == ()


@pytest.mark.parametrize(
    ("place", "expected"),
    [("subset", ".tags"), ("dataset", ".tags"), ("general", ".tags"), ("option", ".tags"), ("nowhere", ".caption")],
)
def test_the_nearest_place_says_what_captions_are(bed: Bed, place: str, expected: str) -> None:
    for name in ("a.png", "a.tags", "a.caption", "a.txt"):
        bed.write(f"img/{name}")
    said = {"caption_extension": ".tags"}
    weaker = {"caption_extension": ".txt"}
    of = subset(bed.folder / "img", **(said if place == "subset" else {}))
    dataset = {"subsets": [of], **(said if place == "dataset" else weaker if place == "subset" else {})}
    general = said if place == "general" else weaker if place in ("subset", "dataset") else {}
    options = said if place == "option" else weaker if place != "nowhere" else {}
    found = bed.listed({"general": general, "datasets": [dataset]}, **options)
    assert [name for name, kind in names(found)["img", "images"] if kind == "caption"] == [f"a{expected}"]


def test_a_caption_may_have_the_name_without_its_last_four_parts(bed: Bed) -> None:
    for name in ("fox_1_2_3_4.png", "fox.txt"):
        bed.write(f"img/{name}")
    found = bed.listed(config(subset(bed.folder / "img", caption_extension=".txt")))
    assert [file.name for file in found.folders[0].files] == ["fox.txt", "fox_1_2_3_4.png"]
    assert dataset_record(hashed(found)).captions == 1


def test_regularization_and_conditioning_have_their_roles(bed: Bed) -> None:
    for name in ("img/a.png", "reg/r.png", "mask/a.png"):
        bed.write(name)
    found = bed.listed(
        config(
            subset(bed.folder / "img", conditioning_data_dir=str(bed.folder / "mask")),
            subset(bed.folder / "reg", is_reg=True),
        )
    )
    assert names(found) == {
        ("img", "images"): [("a.png", "picture")],
        ("mask", "conditioning"): [("a.png", "conditioning")],
        ("reg", "regularization"): [("r.png", "picture")],
    }


def test_a_subset_that_is_passed_over_has_no_files(bed: Bed) -> None:
    bed.write("img/a.png")
    assert bed.listed(config(subset(bed.folder / "img", num_repeats=0))).folders == ()
    assert bed.listed(config(subset(bed.folder / "img")), dataset_repeats=0).folders == ()
    assert bed.listed(config(subset(bed.folder / "img", num_repeats=1)), dataset_repeats=0).folders != ()


def test_a_folder_in_two_resolutions_is_listed_once(bed: Bed) -> None:
    for name in ("img/a.png", "img/a.txt", "img/a.tags"):
        bed.write(name)
    folder = bed.folder / "img"
    both = [{"subsets": [subset(folder, caption_extension=each)]} for each in (".txt", ".tags")]
    found = bed.listed({"datasets": both})
    assert names(found) == {("img", "images"): [("a.png", "picture"), ("a.tags", "caption"), ("a.txt", "caption")]}
    record = dataset_record(hashed(found))
    assert (record.pictures, record.captions, record.size) == (1, 2, 3)


def test_metadata_files_are_listed_with_their_pictures(bed: Bed) -> None:
    for name in ("img/a.png", "img/sub/b.webp", "else/c.jpg", "img/d.npz"):
        bed.write(name)
    entries: dict[str, dict[str, str]] = {
        "a.png": {},
        "sub/b": {},
        str(bed.folder / "else" / "c.jpg"): {},
        "d.png": {},
        "gone.png": {},
    }
    file = bed.write("meta/list.json", json.dumps(entries))
    found = bed.listed(config(subset(bed.folder / "img", metadata_file=str(file))))
    assert names(found) == {
        ("meta", "metadata"): [("list.json", "metadata")],
        ("img", "images"): [("a.png", "picture"), ("d.npz", "picture")],
        ("sub", "images"): [("b.webp", "picture")],
        ("else", "images"): [("c.jpg", "picture")],
    }
    assert found.problems == (f"{bed.folder / 'img' / 'gone.png'} is not there",)
    lines = "".join(json.dumps({"image_path": name}) + "\n" for name in ("a.png", "d.png"))
    other = bed.write("meta/list.jsonl", lines)
    assert len(bed.listed(in_json=str(other), train_data_dir=str(bed.folder / "img")).files) == 3


@pytest.mark.parametrize("content", ["", "[]", "nothing", '{"a": 1}', "[" * 9000])
def test_a_metadata_file_that_cannot_be_read_is_a_problem(bed: Bed, content: str) -> None:
    file = bed.write("meta/list.json", content)
    found = hashed(bed.listed(config({"metadata_file": str(file)})))
    assert len(found.problems) == 1 and str(file) in found.problems[0]
    assert found.files[str(file)].sha256


def test_folders_with_repeats_in_their_names(bed: Bed) -> None:
    for name in ("train/10_fox/a.png", "train/0_no/b.png", "train/fox/c.png", "train/d.png", "reg/1_animal/r.png"):
        bed.write(name)
    bed.write("train/10_fox/a.caption")
    found = bed.listed(train_data_dir=str(bed.folder / "train"), reg_data_dir=str(bed.folder / "reg"))
    assert names(found) == {
        ("10_fox", "images"): [("a.caption", "caption"), ("a.png", "picture")],
        ("1_animal", "regularization"): [("r.png", "picture")],
    }
    controlnet = bed.listed(train_data_dir=str(bed.folder / "train"), conditioning_data_dir=str(bed.folder / "reg"))
    assert names(controlnet) == {("train", "images"): [("d.png", "picture")]}


def test_relative_folders_are_taken_from_the_checkout(bed: Bed) -> None:
    bed.write("sd-scripts/img/a.png")
    assert len(bed.listed(config({"image_dir": "img"})).files) == 1


def test_a_run_that_was_moved_goes_by_its_own_copy(bed: Bed) -> None:
    bed.write("img/a.png")
    manifest = bed.manifest(config(subset(bed.folder / "img")))
    moved = bed.run.rename(bed.folder / "moved")
    assert len(dataset_of_run(moved, manifest).files) == 1


def test_the_trainers_own_list_is_one_of_the_files(bed: Bed) -> None:
    for name in ("a.png", "metadata_cache.json"):
        bed.write(f"img/{name}")
    found = bed.listed(config(subset(bed.folder / "img", cache_info=True)))
    assert ("metadata_cache.json", "metadata") in names(found)["img", "images"]
    assert len(bed.listed(config(subset(bed.folder / "img"))).files) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dataset_class": "mine.Dataset"}, "its files are known to the dataset_class alone"),
        ({"dataset_config": "/nowhere/config.toml"}, "config.toml is not there"),
    ],
)
def test_what_cannot_be_listed_is_said(bed: Bed, options: dict[str, str], said: str) -> None:
    found = bed.listed(**options)
    assert found.problems == (said,) and found.sha256 is None
    assert dataset_record(found).problem == said


@pytest.mark.parametrize(
    "text", ["[[datasets", "\0", "datasets = 1", "[general]\nx = [1, 'a']", "[[datasets]]\nsubsets = 3"]
)
def test_hostile_configs_are_no_error(bed: Bed, text: str) -> None:
    manifest = bed.manifest(config())
    (bed.run / "config.toml").write_text(text)
    assert dataset_of_run(bed.run, manifest).folders == ()


def test_a_run_without_pictures_has_none(bed: Bed) -> None:
    assert bed.listed(network_dim=4) == DatasetListing()


def test_the_hash_is_over_the_sorted_hashes(bed: Bed) -> None:
    for number in range(3):
        bed.write(f"img/{number}.png", bytes([number]))
    found = hashed(bed.listed(config(subset(bed.folder / "img"))))
    shas = sorted(hashlib.sha256(bytes([number])).hexdigest() for number in range(3))
    assert found.sha256 == hashlib.sha256("".join(f"{each}\n" for each in shas).encode()).hexdigest()
    record = dataset_record(found)
    assert (record.sha256, record.file, record.pictures, record.size) == (found.sha256, DATASET, 3, 3)


def test_pipes_links_and_folders_with_names_of_pictures_hold_nothing_up(bed: Bed) -> None:
    bed.write("img/a.png")
    os.mkfifo(bed.folder / "img" / "pipe.png")
    os.mkfifo(bed.folder / "img" / "a.caption")
    (bed.folder / "img" / "gone.png").symlink_to("nowhere")
    (bed.folder / "img" / "folder.png").mkdir()
    found = hashed(bed.listed(config(subset(bed.folder / "img"))))
    assert found.sha256 is None
    said = {Path(problem.split(" ")[0]).name: problem.split(" ", 1)[1] for problem in found.problems}
    assert said == {"pipe.png": "is not a file", "gone.png": "is not there", "folder.png": "is not a file"}
    assert found.files[str(bed.folder / "img" / "a.png")].sha256 is not None
    record = dataset_record(found)
    assert record.sha256 is None and record.problem and "and 2 more" in record.problem


def test_what_was_written_added_or_taken_away_is_told(bed: Bed) -> None:
    for name in ("a.png", "b.png", "c.png"):
        bed.write(f"img/{name}")
    how = config(subset(bed.folder / "img"))
    before = bed.listed(how)
    assert changed_between(before, bed.listed(how)) == ()
    os.utime(bed.write("img/a.png", b"y"), (2_000_000_000, 2_000_000_000))
    (bed.folder / "img" / "b.png").unlink()
    bed.write("img/d.png")
    changed = changed_between(before, hashed(bed.listed(how)))
    assert [Path(path).name for path in changed] == ["a.png", "b.png", "d.png"]


def test_hashing_stops_when_asked(bed: Bed) -> None:
    bed.write("img/a.png")
    with pytest.raises(Stopped):
        hashed(bed.listed(config(subset(bed.folder / "img"))), lambda: True)


def test_a_listing_is_read_back_as_it_was_written(bed: Bed) -> None:
    for name in ("a.png", "ä ö.png", "line\nbreak.png", NOT_UTF8):
        (bed.folder / "img").mkdir(exist_ok=True)
        (bed.folder / "img" / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    found = hashed(bed.listed(config(subset(bed.folder / "img"))))
    (bed.run / DATASET).write_bytes(dataset_bytes(found))
    assert read_dataset_file(bed.run) == read_dataset_file(bed.run / DATASET) == found
    data = json.loads((bed.run / DATASET).read_text())
    assert data["dataset_version"] == 1 and data["sha256"] == found.sha256
    write_manifest(bed.manifest(config(subset(bed.folder / "img"))), bed.run)
    seen: list[tuple[int, int]] = []
    again = dataset_of_run(bed.run, read_manifest(bed.run))
    assert hashed(again, never, lambda done, total: seen.append((done, total))) == found
    assert seen[-1] == (4, 4)


_WORDS = some.text(max_size=8)
_FILES = some.builds(
    DatasetFile,
    _WORDS,
    _WORDS,
    some.integers(0, 1 << 60),
    some.integers(0, 1 << 60),
    some.none() | some.text(min_size=1),
)
_LISTINGS = some.builds(
    DatasetListing,
    some.lists(some.builds(DatasetFolder, _WORDS, _WORDS, some.lists(_FILES, max_size=3).map(tuple)), max_size=3).map(
        tuple
    ),
    some.lists(_WORDS, max_size=2).map(tuple),
    some.lists(_WORDS, max_size=2).map(tuple),
)


@settings(max_examples=40, deadline=None)
@given(_LISTINGS)
def test_any_listing_is_read_back(tmp_path_factory: pytest.TempPathFactory, listing: DatasetListing) -> None:
    path = tmp_path_factory.mktemp("listing") / DATASET
    path.write_bytes(dataset_bytes(listing))
    assert read_dataset_file(path) == listing


_ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: (
        some.lists(inner, max_size=4) | some.dictionaries(some.sampled_from(["folders", "files", "path"]), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(some.one_of(_ANYTHING.map(json.dumps), some.text(), some.just("[" * 9000)))
def test_anything_else_is_none(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("listing") / DATASET
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    found = read_dataset_file(path)
    assert found is None or isinstance(found, DatasetListing)
    os.mkfifo(path.with_name("pipe"))
    assert read_dataset_file(path.with_name("pipe")) is None


def test_the_extensions_are_those_of_the_checkout(bed: Bed) -> None:
    assert ".png" in extensions_of(bed.checkout, Path("/none"))
    bed.write("sd-scripts/library/train_util.py", 'IMAGE_EXTENSIONS = [".qoi"]\n')
    assert extensions_of(bed.checkout, Path("/none")) == (".qoi",)
