"""`kl diff` and `kl verify` with the real command, on runs that `kl launch` has recorded: only the trainer is none."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_bed import ACCELERATE, Bed, make_bed

from launcher.base.files import sha256_of

NAME = "fox-v1s10"
TRAINER = ACCELERATE.partition("if __name__")[0] + """
if __name__ == "__main__":
    import json, sys
    given = dict(word[2:].split("=", 1) for word in sys.argv if word.startswith("--") and "=" in word)
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    content = len(header).to_bytes(8, "little") + header + given["learning_rate"][-4:].rjust(4).encode()
    with open(given["output_dir"] + "/" + given["output_name"] + ".safetensors", "wb") as file:
        file.write(content)
"""
SPEC = """[run]
script = "train_network.py"

[model]
pretrained_model_name_or_path = "base.safetensors"
train_data_dir = "img"
network_module = "networks.lora"
learning_rate = 1e-4

[network_args]
conv_dim = 8
"""
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000040000000400802000000250be6890000000a49444154789c63600000000200015e"
)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Bed:
    """A home in which NAME was trained; only for tests that change nothing."""
    return _trained(tmp_path_factory.mktemp("bed"))


@pytest.fixture
def bed(first: Bed) -> Any:
    """The same home, as it was once the test is over."""
    kept = first.root.with_name(f"{first.root.name}-kept")
    subprocess.run(["cp", "-a", first.root, kept], check=True)
    yield first
    shutil.rmtree(first.root)
    kept.rename(first.root)


def _git(folder: Path, *words: str) -> None:
    own = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *own, *words], cwd=folder, check=True, capture_output=True)


def _model(content: bytes) -> bytes:
    """A safetensors file of one number: its four bytes."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + content


def _trained(root: Path) -> Bed:
    bed = make_bed(root)
    (launch,) = bed.environment.rglob("accelerate/commands/launch.py")
    launch.write_text(TRAINER)
    bed.spec(SPEC)
    (bed.here / "base.safetensors").write_bytes(_model(b"base"))
    folder = bed.here / "img" / "10_fox"
    folder.mkdir()
    for number in "123":
        (folder / f"{number}.png").write_bytes(PICTURE + number.encode())
        (folder / f"{number}.caption").write_text(f"a fox, {number}")
    _git(bed.checkout, "init", "-q")
    _git(bed.checkout, "add", "-A")
    _git(bed.checkout, "commit", "-qm", "one")
    torch = bed.environment / "lib" / launch.parents[3].name / "site-packages" / "torch-2.7.1.dist-info"
    torch.mkdir()
    (torch / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.7.1\n")
    ended = _launch(bed, NAME)
    assert ended.code == 0, ended.err
    return bed


def _launch(bed: Bed, name: str, *words: str) -> Any:
    allowed: list[str] = []
    return bed.kl("launch", name, *allowed, *words, OUTPUT_DIR=str(bed.here / "out"))


def _kl(bed: Bed, *words: str) -> Any:
    return bed.kl(*words, OUTPUT_DIR=str(bed.here / "out"))


def _folder(bed: Bed) -> Path:
    return bed.here / "img" / "10_fox"


def _edit_caption(bed: Bed) -> None:
    (_folder(bed) / "2.caption").write_text("a cat, 2")


def _replace_picture(bed: Bed) -> None:
    (_folder(bed) / "2.png").write_bytes(PICTURE + b"X")


def _add_picture(bed: Bed) -> None:
    (_folder(bed) / "4.png").write_bytes(PICTURE + b"4")


def _remove_caption(bed: Bed) -> None:
    (_folder(bed) / "3.caption").unlink()


def _edit_model(bed: Bed) -> None:
    (bed.here / "base.safetensors").write_bytes(_model(b"BASE"))


def _other_torch(bed: Bed) -> None:
    (metadata,) = bed.environment.rglob("torch-2.7.1.dist-info/METADATA")
    metadata.write_text(metadata.read_text().replace("2.7.1", "2.8.0"))


def _edit_checkout(bed: Bed) -> None:
    (bed.checkout / "train_network.py").open("a").write("# mine\n")


def _commit(bed: Bed) -> None:
    _edit_checkout(bed)
    _git(bed.checkout, "commit", "-qam", "two")


def _edit_spec(bed: Bed) -> None:
    bed.spec(SPEC.replace("1e-4", "2e-4"))


def _edit_items(bed: Bed) -> None:
    bed.spec(SPEC.replace("conv_dim = 8", "conv_dim = 4"))


DIFFERS, GONE, NOTED = "differs", "gone", "noted"
CHANGES: list[tuple[Callable[[Bed], None], tuple[str, str, str], tuple[str, str]]] = [
    (_edit_caption, ("dataset", "10_fox/2.caption", DIFFERS), ("dataset", "10_fox/2.caption")),
    (_replace_picture, ("dataset", "10_fox/2.png", DIFFERS), ("dataset", "10_fox/2.png")),
    (_add_picture, ("dataset", "10_fox/4.png", DIFFERS), ("dataset", "10_fox/4.png")),
    (_remove_caption, ("dataset", "10_fox/3.caption", GONE), ("dataset", "10_fox/3.caption")),
    (
        _edit_model,
        ("inputs", "pretrained_model_name_or_path {here}/base.safetensors", DIFFERS),
        ("inputs", "pretrained_model_name_or_path"),
    ),
    (_other_torch, ("packages", "torch", DIFFERS), ("packages", "torch")),
    (_edit_checkout, ("code", "sd-scripts", NOTED), ("code", "sd-scripts, not committed")),
    (_commit, ("code", "sd-scripts", NOTED), ("code", "sd-scripts")),
    (_edit_spec, ("files", "the text of {here}/fox.toml", NOTED), ("options", "learning_rate")),
    (_edit_items, ("files", "the text of {here}/fox.toml", NOTED), ("network_args", "conv_dim")),
]


@pytest.mark.parametrize(("change", "verified", "different"), CHANGES, ids=lambda each: getattr(each, "__name__", None))
def test_each_single_change_is_named(
    bed: Bed, change: Callable[[Bed], None], verified: tuple[str, str, str], different: tuple[str, str]
) -> None:
    change(bed)
    ended = _kl(bed, "verify", NAME, "--json")
    section, name, state = verified
    found = json.loads(ended.out)
    assert _not_ok(found) == [(section, name.format(here=bed.here), state)]
    assert (ended.code, found["as_recorded"]) == ((0, True) if state == NOTED else (1, False))
    ended = _kl(bed, "diff", NAME, "fox.toml", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert [(each["section"], each["name"]) for each in json.loads(ended.out)["differences"]] == [different]


def _not_ok(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["section"], each["name"], each["state"]) for each in found["checks"] if each["state"] != "ok"]


def test_nothing_changed(first: Bed) -> None:
    ended = _kl(first, "verify", NAME)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == f"{NAME} in {first.here}/out/{NAME}"
    assert ended.out.splitlines()[-1] == "Everything is as recorded."
    for other in (NAME, "fox.toml", f"{first.here}/out/{NAME}"):
        ended = _kl(first, "diff", NAME, other)
        assert (ended.code, ended.out.splitlines()[-1]) == (0, "They are the same.")


def test_the_shape_of_verify_as_json(first: Bed) -> None:
    found = json.loads(_kl(first, "verify", NAME, "--json").out)
    assert list(found) == ["name", "directory", "as_recorded", "counts", "checks"]
    assert (found["name"], found["directory"]) == (NAME, f"{first.here}/out/{NAME}")
    assert found["counts"] == {"ok": len(found["checks"])}
    assert list(found["checks"][0]) == ["section", "name", "state", "said"]
    sections = list(dict.fromkeys(each["section"] for each in found["checks"]))
    assert sections == ["files", "artifacts", "inputs", "dataset", "code", "packages", "environment"]


def test_the_shape_of_diff_as_json(bed: Bed) -> None:
    _edit_caption(bed)
    found = json.loads(_kl(bed, "diff", NAME, "fox-v2s20", "--json").out)
    assert list(found) == ["a", "b", "same", "same_weights", "differences", "not_recorded"]
    assert list(found["a"]) == ["name", "directory", "planned", "outcome", "seconds"]
    assert (found["a"]["name"], found["a"]["planned"], found["a"]["outcome"]) == (NAME, False, "succeeded")
    assert (found["b"]["name"], found["b"]["planned"], found["b"]["outcome"]) == ("fox-v2s20", True, None)
    assert (found["same"], found["same_weights"]) == (False, None)
    assert found["not_recorded"] == {"a": [], "b": []}
    assert found["differences"][0] == {
        "section": "options", "name": "max_train_steps", "a": 10, "b": 20, "note": ""
    }  # fmt: skip
    caption = found["differences"][1]
    assert (caption["section"], caption["b"], caption["note"]) == ("dataset", "a cat, 2", "caption changed")


def test_two_runs(bed: Bed) -> None:
    assert _launch(bed, "fox-v2s10", "--set", "learning_rate=3e-4").code == 0
    ended = _kl(bed, "diff", NAME, "fox-v2s10")
    lines = [line.split() for line in ended.out.splitlines()]
    assert ["learning_rate", "0.0001", "→", "0.0003"] in lines
    assert ["weights"] in lines and ["options"] in lines and len([each for each in lines if len(each) == 1]) == 2
    assert _launch(bed, "fox-v3s10").code == 0
    ended = _kl(bed, "diff", NAME, "fox-v3s10")
    assert ended.out.splitlines()[-1] == "They are the same."


def test_what_is_in_the_run_directory(bed: Bed) -> None:
    run = bed.here / "out" / NAME
    (run / "spec.toml").write_text(SPEC + "# edited\n")
    (run / "repos.git").unlink()
    (run / f"{NAME}.safetensors").write_bytes(_model(b"XXXX"))
    ended = _kl(bed, "verify", NAME, "--json")
    assert ended.code == 1
    assert sorted(_not_ok(json.loads(ended.out))) == [
        ("artifacts", f"{NAME}.safetensors", DIFFERS), ("files", "repos.git", GONE), ("files", "spec.toml", DIFFERS),
    ]  # fmt: skip
    quick = json.loads(_kl(bed, "verify", NAME, "--quick", "--json").out)
    assert ("artifacts", f"{NAME}.safetensors", DIFFERS) not in _not_ok(quick)
    (run / f"{NAME}.safetensors").write_bytes(b"short")
    quick = json.loads(_kl(bed, "verify", NAME, "--quick", "--json").out)
    assert ("artifacts", f"{NAME}.safetensors", DIFFERS) in _not_ok(quick)


def test_a_run_that_was_moved(bed: Bed) -> None:
    (bed.here / "elsewhere").mkdir()
    moved = (bed.here / "out" / NAME).rename(bed.here / "elsewhere" / "renamed")
    ended = _kl(bed, "verify", str(moved))
    assert ended.code == 0, ended.out
    ended = _kl(bed, "diff", str(moved), "fox.toml")
    assert ended.out.splitlines()[-1] == "They are the same."


def test_another_machine(bed: Bed) -> None:
    run = bed.here / "out" / NAME
    recorded = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**recorded, "host": "attic"}))
    shutil.rmtree(bed.here / "img" / "10_fox")
    (bed.here / "base.safetensors").unlink()
    shutil.rmtree(bed.checkout)
    found = json.loads(_kl(bed, "verify", NAME, "--json").out)
    assert sorted(_not_ok(found)) == [
        ("code", "sd-scripts", "cannot be checked"),
        ("dataset", str(bed.here / "img" / "10_fox"), GONE),
        ("environment", "host", NOTED),
        ("files", "environment.json", DIFFERS),
        ("inputs", f"pretrained_model_name_or_path {bed.here}/base.safetensors", GONE),
    ]


def test_a_commit_that_is_gone(bed: Bed) -> None:
    shutil.rmtree(bed.checkout / ".git")
    _git(bed.checkout, "init", "-q")
    _git(bed.checkout, "add", "-A")
    _git(bed.checkout, "commit", "-qm", "another history")
    ended = _kl(bed, "verify", NAME, "--json")
    states = [(section, state) for section, _, state in _not_ok(json.loads(ended.out))]
    assert (ended.code, states) == (1, [("code", GONE), ("code", NOTED)])


def test_a_script_of_a_resumed_attempt_is_not_its_source(bed: Bed) -> None:
    file = bed.here / "out" / NAME / "run.json"
    manifest = json.loads(file.read_text())
    content = b"counts on"
    (file.parent / "resume").mkdir()
    (file.parent / "resume" / "train_network.py").write_bytes(content)
    source = str(bed.checkout / "train_network.py")
    record = {"name": "resume/train_network.py", "source": source, "sha256": sha256_of(content), "size": len(content)}
    file.write_text(json.dumps({**manifest, "files": [*manifest["files"], record]}))
    ended = _kl(bed, "verify", NAME, "--json")
    assert (ended.code, _not_ok(json.loads(ended.out))) == (0, [])


def test_without_its_environment(bed: Bed) -> None:
    (bed.environment / "bin" / "python").unlink()
    ended = _kl(bed, "verify", NAME, "--json")
    python = str(bed.environment / "bin" / "python")
    assert (ended.code, _not_ok(json.loads(ended.out))) == (1, [("environment", python, GONE)])


@pytest.mark.parametrize("words", [("diff", "fox-v9s9", NAME), ("diff", NAME, "nothing-v9s9"), ("verify", "fox-v9s9")])
def test_no_such_run(first: Bed, words: tuple[str, ...]) -> None:
    ended = _kl(first, *words)
    assert ended.code == 64 and "There is no run" in ended.err and ended.out == ""


def test_a_spec_that_is_refused(bed: Bed) -> None:
    bed.spec(SPEC.replace("learning_rate", "lerning_rate"))
    ended = _kl(bed, "diff", NAME, "fox.toml")
    assert ended.code == 65 and "Did you mean learning_rate?" in ended.err


@pytest.mark.parametrize("file", ["dataset.json", "environment.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b'{"folders": 1, "environment_version": 1}', b"\xff"])
def test_a_damaged_list_is_no_traceback(bed: Bed, file: str, content: bytes) -> None:
    (bed.here / "out" / NAME / file).write_bytes(content)
    ended = _kl(bed, "verify", NAME)
    assert (ended.code, ended.err) == (1, "") and file in ended.out
    ended = _kl(bed, "diff", NAME, "fox.toml")
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    "changed",
    [
        {"options": [{"name": 1, "value": {"a": []}, "command": 7}]},
        {"files": [{"name": "../../here/fox.toml", "sha256": "a", "size": 1}, {"name": "", "sha256": "b"}]},
        {"artifacts": [{"path": "\0", "kind": "model", "sha256": "x"}, {"path": "/", "kind": "model", "sha256": "x"}]},
        {"inputs": [{"option": "vae", "path": "\0/\n", "sha256": "x"}, {"path": ""}, {"path": "/dev/zero"}]},
        {"repositories": [{"name": "x", "path": "\0", "commit": "--help"}, {"name": None}]},
        {"dataset": {"file": "../../../etc/passwd", "sha256": 7}},
        {"dataset": {"file": "run.json", "problem": "no"}, "python": "\0", "trainer": {"checkout": "\0"}},
        {"inputs": [{"path": "/\ud800"}], "repositories": [{"name": "x", "path": "/\ud800", "commit": "\ud800"}]},
        {"attempts": [{"last_loss": "nan", "lowest_loss": "no number"}]},
        {"manifest_version": 99, "unknown": {"a": 1}, "inputs": None, "files": {}},
    ],
)
def test_a_foreign_manifest_is_no_traceback(bed: Bed, changed: dict[str, Any]) -> None:
    file = bed.here / "out" / NAME / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))
    for words in (("verify", NAME), ("diff", NAME, NAME), ("diff", NAME, "fox.toml")):
        ended = _kl(bed, *words)
        assert ended.code in (0, 1, 73), ended.err
        assert "Traceback" not in ended.err
        assert ended.code != 73 or "damaged" in ended.err
