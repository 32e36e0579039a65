"""Each single change is named, and nothing else; what only lies elsewhere is no difference."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compare_bed import CONFIG, environment, listing, options, sha, side
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.record.compare import Comparison, compare
from launcher.record.dataset import DatasetFile, DatasetFolder, DatasetListing
from launcher.record.difference import Difference, same_value
from launcher.record.manifest import Attempt, InputRecord, Manifest, OptionRecord, RepositoryRecord
from launcher.record.packages import PackageRecord, TorchRecord
from launcher.record.side import Side

DIRECTORY = "/out/fox-v1s10"


def named(comparison: Comparison) -> list[tuple[str, str]]:
    return [(each.section, each.name) for each in comparison.differences]


def only(a: Side, b: Side) -> Difference:
    """The one difference, the same from both sides."""
    (found,) = compare(a, b).differences
    (back,) = compare(b, a).differences
    assert (back.section, back.name) == (found.section, found.name)
    assert (back.a, back.b) == (found.b, found.a)
    return found


def test_a_run_and_itself() -> None:
    comparison = compare(side(), side())
    assert comparison.differences == ()
    assert comparison.weights is True
    assert comparison.not_recorded_a == comparison.not_recorded_b == ()


def test_another_place_and_name_is_no_difference() -> None:
    elsewhere = side("/mnt/other/wolf-v7s10")
    moved = replace(elsewhere, dataset=listing("/mnt/img"), files={"config.toml": CONFIG % b"/mnt/img"})
    model = replace(moved.manifest.inputs[0], path="/mnt/b.safetensors")
    repository = replace(moved.manifest.repositories[0], path="/mnt/sd-scripts", branch="work")
    changed = options("/mnt/other/wolf-v7s10", pretrained_model_name_or_path="/mnt/b.safetensors")
    manifest = replace(moved.manifest, inputs=(model,), repositories=(repository,), options=changed)
    assert compare(side(), replace(moved, manifest=manifest)).differences == ()
    assert compare(side(), replace(side(), directory=Path("/copied/here"))).differences == ()


@pytest.mark.parametrize(
    ("changed", "section", "name", "values"),
    [
        ({"learning_rate": 2e-4}, "options", "learning_rate", (1e-4, 2e-4)),
        ({"learning_rate": None}, "options", "learning_rate", (1e-4, None)),
        ({"lowram": True}, "options", "lowram", (None, True)),
        ({"network_args": {"algo": "locon", "conv_dim": 4}}, "network_args", "conv_dim", (8, 4)),
        ({"network_args": {"algo": "locon"}}, "network_args", "conv_dim", (8, None)),
        ({"optimizer_args": ["eps=1e-8"]}, "options", "optimizer_args", (None, ["eps=1e-8"])),
        ({"dataset_config": None}, "options", "dataset_config", ("config.toml", None)),
    ],
)
def test_an_option(changed: dict[str, Any], section: str, name: str, values: tuple[Any, Any]) -> None:
    found = only(side(), side(options=options(DIRECTORY, **changed)))
    assert (found.section, found.name, (found.a, found.b)) == (section, name, values)


@pytest.mark.parametrize(
    "changed", [{"learning_rate": "0.0001"}, {"network_args": {"conv_dim": "8", "algo": "locon"}}, {"output_name": "x"}]
)
def test_the_same_value_written_otherwise(changed: dict[str, Any]) -> None:
    assert compare(side(), side(options=options(DIRECTORY, **changed))).differences == ()


def test_options_of_accelerate_stand_by_themselves() -> None:
    other = (OptionRecord("mixed_precision", "bf16", command="accelerate"), *options(DIRECTORY)[1:])
    assert only(side(), side(options=other)).section == "accelerate"


def test_sections_are_not_mixed() -> None:
    changed = options(DIRECTORY, learning_rate=1, network_args={"algo": "lokr", "conv_dim": 8}, seed=7)
    sections = [section for section, _ in named(compare(side(), side(options=changed)))]
    assert sections == ["options", "options", "network_args"]


def test_the_dataset_config() -> None:
    other = replace(side(), files={"config.toml": CONFIG.replace(b"10", b"20") % b"/data/img"})
    found = only(side(), other)
    assert (found.section, found.name) == ("dataset_config", "datasets[1].subsets[1].num_repeats")
    assert (found.a, found.b) == (10, 20)
    remark = replace(side(), files={"config.toml": b"# a remark\n" + CONFIG % b"/data/img"})
    assert compare(side(), remark).differences == ()


def test_a_dataset_config_that_cannot_be_read_is_compared_by_its_lines() -> None:
    broken = replace(side(), files={"config.toml": b"[general\n"})
    assert ("dataset_config", "line 1") in named(compare(broken, side()))


def test_sample_prompts() -> None:
    texts = (b"a fox\na cat\n", b"# mine\na fox\n\na dog")
    a, b = (replace(side(), files={"sample-prompts.txt": text}) for text in texts)
    found = only(a, b)
    assert (found.section, found.name, found.a, found.b) == ("sample_prompts", "prompt 2", "a cat", "a dog")


@pytest.mark.parametrize(
    ("changed", "name", "note"),
    [
        ({"2.txt": "another"}, "img/2.txt", "caption changed"),
        ({"2.png": "another"}, "img/2.png", "picture changed"),
        ({"2.txt": None}, "img/2.txt", ""),
        ({"9.png": "a new one"}, "img/9.png", ""),
    ],
)
def test_a_picture_or_caption(changed: dict[str, str | None], name: str, note: str) -> None:
    found = only(side(), replace(side(), dataset=listing(changed=changed)))
    assert (found.section, found.name, found.note) == ("dataset", name, note)


def test_a_renamed_picture() -> None:
    found = only(side(), replace(side(), dataset=listing(changed={"1.png": None, "9.png": "picture 1"})))
    assert (found.name, found.a, found.b) == ("renamed picture", "img/1.png", "img/9.png")


def test_the_text_of_a_caption_is_shown_where_a_file_has_it(tmp_path: Path) -> None:
    (tmp_path / "2.txt").write_text("a red fox\n")
    before, after = listing(str(tmp_path)), listing(str(tmp_path), {"2.txt": "a red fox\n"})
    found = only(replace(side(), dataset=before), replace(side(), dataset=after))
    assert (found.a, found.b) == (sha("caption 2")[:12], "a red fox")


def test_folders_are_paired_by_what_is_in_them() -> None:
    def two(first: str, second: str) -> DatasetListing:
        other = DatasetFolder(second, "images", (DatasetFile("a.png", "picture", 1, 1, sha("a")),))
        return DatasetListing((*listing(first).folders, other))

    a = replace(side(), dataset=two("/data/img", "/data/more"))
    b = replace(side(), dataset=DatasetListing(two("/x/1", "/x/2").folders[::-1]))
    assert compare(a, b).differences == ()


def test_folders_whose_names_say_repeats() -> None:
    a, b = (
        replace(
            side(options=options(DIRECTORY, dataset_config=None, train_data_dir="/data")), dataset=listing(folder)
        )
        for folder in ("/data/10_fox", "/data/20_fox")
    )
    found = only(a, b)
    assert (found.name, found.a, found.b) == ("renamed folder", "10_fox", "20_fox")


def test_a_dataset_of_which_only_the_hash_is_known() -> None:
    a, b = (replace(side(), dataset=None) for _ in range(2))
    record = a.manifest.dataset
    assert record is not None
    assert compare(a, b).differences == ()
    other = replace(b, manifest=replace(b.manifest, dataset=replace(record, sha256=sha("x"))))
    assert only(a, other).name == "all files"


def test_an_edited_base_model() -> None:
    record = side().manifest.inputs[0]
    found = only(side(), side(inputs=(replace(record, sha256=sha("edited")),)))
    assert (found.section, found.name) == ("inputs", "pretrained_model_name_or_path")
    assert str(found.b) == f"base.safetensors ({sha('edited')[:12]})"


def test_another_revision_of_a_model_on_the_hub() -> None:
    changed = options(DIRECTORY, pretrained_model_name_or_path="owner/model")
    model = InputRecord("pretrained_model_name_or_path", "owner/model")
    a, b = (side(options=changed, inputs=(replace(model, revision=letter * 40),)) for letter in "ab")
    assert only(a, b).section == "inputs"


def test_a_file_and_a_model_of_the_hub_are_two_values() -> None:
    hub = InputRecord("pretrained_model_name_or_path", "owner/model", revision="a" * 40)
    other = side(options=options(DIRECTORY, pretrained_model_name_or_path="owner/model"), inputs=(hub,))
    assert only(side(), other).section == "options"


def test_another_commit_and_how_many_lie_between(tmp_path: Path) -> None:
    commits = []
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "-q"], check=True)
    for _ in range(3):
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
        done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        commits.append(done.stdout.strip())
    record = RepositoryRecord("sd-scripts", str(tmp_path), commits[0], dirty=False)
    a, b = side(repositories=(record,)), side(repositories=(replace(record, commit=commits[2]),))
    assert only(a, b).note == "2 commits later"
    assert compare(b, a).differences[0].note == "2 commits earlier"
    gone = side(repositories=(replace(record, path=str(tmp_path / "gone")),))
    elsewhere = side(repositories=(replace(record, path=str(tmp_path / "gone"), commit=commits[2]),))
    assert only(gone, elsewhere).note == ""


def test_other_uncommitted_changes() -> None:
    record = side().manifest.repositories[0]
    dirty = replace(record, dirty=True, tree="c" * 40, patch="patches/sd-scripts.patch")
    found = only(side(), side(repositories=(dirty,)))
    assert (found.section, found.name) == ("code", "sd-scripts, not committed")
    assert only(side(), side(repositories=(replace(record, dirty=True, tree=None),))).name == found.name


def test_a_repository_that_only_one_has() -> None:
    record = RepositoryRecord("LyCORIS", "/code/lycoris", "d" * 40, dirty=False)
    found = only(side(), side(repositories=(*side().manifest.repositories, record)))
    assert (found.name, found.a) == ("LyCORIS", None)


def test_another_script() -> None:
    trainer = replace(side().manifest.trainer, script="sdxl_train_network.py")
    assert only(side(), side(trainer=trainer)).name == "script"


def test_another_torch() -> None:
    packages = (PackageRecord("torch", "2.8.0"), PackageRecord("lycoris-lora", "4.1.3"))
    other = replace(side(), environment=environment(packages=packages))
    found = only(side(), other)
    assert (found.section, found.name, found.a, found.b) == ("packages", "torch", "2.7.1", "2.8.0")
    built = replace(side(), environment=environment(torch=TorchRecord("2.7.1", "11.8")))
    assert only(side(), built).section == "packages"


def test_torch_is_named_before_what_matters_less() -> None:
    packages = tuple(PackageRecord(name, "1") for name in ("annotated-types", "torch", "zipp"))
    other = replace(side(), environment=environment(packages=packages))
    first = [name for _, name in named(compare(side(), other))[:2]]
    assert first == ["lycoris-lora", "torch"]


def test_another_machine() -> None:
    other = replace(side(), environment=environment(host="attic"))
    assert named(compare(side(), other)) == [("environment", "host")]


def test_a_variable_of_the_spec() -> None:
    found = only(side(variables={"MY_SWITCH": "1", "PATH": "/a"}), side(variables={"MY_SWITCH": "2", "PATH": "/b"}))
    assert (found.section, found.name) == ("environment", "MY_SWITCH")


@pytest.mark.parametrize(
    ("changed", "name"),
    [({"last_loss": 0.75}, "last_loss"), ({"last_step": 9}, "steps"), ({"lowest_loss": 0.1}, "lowest_loss")],
)
def test_how_it_went(changed: dict[str, Any], name: str) -> None:
    attempt = replace(side().manifest.attempts[0], **changed)
    found = only(side(), side(attempts=(attempt,)))
    assert (found.section, found.name) == ("outcome", name)


def test_only_a_time_that_is_much_longer_is_said() -> None:
    assert compare(side(), replace(side(), seconds=105.0)).differences == ()
    assert compare(replace(side(), seconds=1.0), replace(side(), seconds=3.0)).differences == ()
    assert only(side(), replace(side(), seconds=200.0)).name == "seconds"


def test_a_loss_that_is_no_number_is_like_itself() -> None:
    attempts = (Attempt(last_step=1, last_loss=float("nan")),)
    assert compare(side(attempts=attempts), side(attempts=attempts)).differences == ()


def test_weights() -> None:
    model = side().manifest.artifacts[0]
    other = side(artifacts=(replace(model, sha256=sha("y"), weights_sha256=sha("x")),))
    assert only(side(), other).section == "weights"
    assert compare(side(), other).weights is False
    metadata = side(artifacts=(replace(model, sha256=sha("other metadata"), path="wolf.safetensors"),))
    assert compare(side(), metadata).weights is True
    assert compare(side(), side(artifacts=())).weights is None


def test_a_planned_run_has_no_outcome_to_compare() -> None:
    planned = replace(side(attempts=(), artifacts=()), planned=True, outcome=None, seconds=None)
    comparison = compare(side(), planned)
    assert comparison.differences == () and comparison.not_recorded_b == ()


def test_what_an_older_manifest_has_not_recorded_is_no_difference() -> None:
    old = side(inputs=(), dataset=None, artifacts=(), manifest_version=1)
    old = replace(old, dataset=None, environment=None)
    comparison = compare(old, side())
    assert comparison.differences == ()
    assert comparison.not_recorded_a == ("inputs", "dataset", "packages and environment")
    assert comparison.not_recorded_b == ()


def test_an_input_without_a_hash_is_said() -> None:
    record = replace(side().manifest.inputs[0], sha256=None, problem="was changed while it was read")
    comparison = compare(side(), side(inputs=(record,)))
    assert comparison.differences == ()
    assert comparison.not_recorded_b == ("the hash of /models/base.safetensors (was changed while it was read)",)
    assert named(compare(side(), side(inputs=(replace(record, size=8),)))) == [
        ("inputs", "pretrained_model_name_or_path")
    ]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("/out/fox-v1s10/x")
)
VALUES = st.recursive(
    SCALARS, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=4), each, max_size=3)
)
NAMES = st.sampled_from(["output_dir", "network_args", "train_data_dir", "seed", "dataset_config", ""])
RECORDS = st.builds(OptionRecord, NAMES, VALUES, command=st.sampled_from(["trainer", "accelerate", "x"]))
HASHES = st.one_of(st.none(), st.sampled_from(["a" * 40, "b" * 40, ""]))
REPOSITORIES = st.builds(
    RepositoryRecord, st.sampled_from(["sd-scripts", "LyCORIS"]), st.just("/nowhere/\0"), HASHES, dirty=st.none()
    | st.booleans(), tree=HASHES, patch=st.none() | st.just("p"), left_out=st.just(("a: b",)),
)  # fmt: skip
INPUTS = st.builds(
    InputRecord, NAMES, st.sampled_from(["/a", "owner/b", ""]), st.none() | st.integers(), st.none(), HASHES, HASHES,
    HASHES,
)  # fmt: skip
FILES = st.builds(
    DatasetFile, st.sampled_from(["1.png", "1.txt", "2.png"]), st.sampled_from(["picture", "caption", "?"]),
    st.integers(), st.integers(), HASHES,
)  # fmt: skip
FOLDERS = st.builds(
    DatasetFolder, st.sampled_from(["/a/1_x", "/b/1_x", "/b/2_x", "\0"]), st.sampled_from(["images", "metadata"]),
    st.lists(FILES, max_size=3).map(tuple),
)  # fmt: skip
SIDES = st.builds(
    lambda options, repositories, inputs, folders, content, planned: Side(
        "x", Path("/out/x"), Manifest(options=tuple(options), repositories=tuple(repositories), inputs=tuple(inputs)),
        {"config.toml": content, "sample-prompts.json": content},
        None if folders is None else DatasetListing(tuple(folders)), planned=planned,
    ),
    st.lists(RECORDS, max_size=4), st.lists(REPOSITORIES, max_size=3), st.lists(INPUTS, max_size=3),
    st.none() | st.lists(FOLDERS, max_size=3), st.binary(max_size=30), st.booleans(),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(SIDES, SIDES)
def test_any_two_sides_compare_the_same_way_round(a: Side, b: Side) -> None:
    there, back = compare(a, b), compare(b, a)
    assert sorted(named(there)) == sorted(named(back))
    assert compare(a, a).differences == ()


@given(VALUES, VALUES)
def test_same_value_is_an_equality(a: Any, b: Any) -> None:
    assert same_value(a, a)
    assert same_value(a, b) == same_value(b, a)
