"""`kl reproduce` and reproduce.sh over the demo trainer: the same weights, from the run directory alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Bed, kl, kl_environ, manifest_of, until

from launcher.base.errors import ExitCode
from launcher.data.weights import WeightsComparison, compare_weights
from launcher.demo.layout import Demo, lay_out, missing_packages

NAME = "shapes-v1s4"
UNSEEDED = "shapes-v2s4"  # a run without a seed

pytestmark = pytest.mark.skipif(bool(missing_packages()), reason="the demo's packages are not installed")


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Bed:
    return Bed(tmp_path_factory.mktemp("reproduce"))


@pytest.fixture(scope="module")
def demo(bed: Bed) -> Demo:
    return lay_out(bed.folder / "demo")


@pytest.fixture(scope="module")
def run(bed: Bed, demo: Demo) -> Path:
    """A run that was trained with an edited checkout. Its spec is gone, the checkout moved on and edited otherwise,
    the run directory itself lies elsewhere."""
    with (demo.checkout / "train_network.py").open("a") as script:
        script.write("\n# edited before the launch\n")
    (demo.checkout / "untracked.bin").write_bytes(bytes(range(256)))
    unseeded = demo.spec.with_name("unseeded.toml")
    unseeded.write_text(demo.spec.read_text().replace("seed = 42", ""))
    for words in ((NAME,), (str(unseeded), "--name", UNSEEDED)):
        said = kl(bed, "launch", *words, cwd=demo.spec.parent)
        assert said.code == 0, said.err
    demo.spec.unlink()
    (demo.checkout / "untracked.bin").unlink()
    with (demo.checkout / "train_network.py").open("a") as script:
        script.write("\nraise SystemExit('not the code of then')\n")
    git(demo.checkout, "commit", "-q", "-am", "another commit")
    with (demo.checkout / "library" / "metadata.py").open("a") as script:
        script.write("\nraise SystemExit('nor this')\n")
    elsewhere = bed.folder / "elsewhere"
    shutil.copytree(bed.root, elsewhere)
    shutil.rmtree(bed.root)
    return elsewhere / NAME


def same_tensors(old: Path, new: Path) -> None:
    found = compare_weights(old, new)
    assert isinstance(found, WeightsComparison)
    assert found.identical, found
    assert found.tensors > 100


def test_the_weights_are_identical_and_the_checkout_is_not_touched(bed: Bed, demo: Demo, run: Path) -> None:
    before = git(demo.checkout, "status", "--porcelain"), git(demo.checkout, "log", "--format=%H")
    said = kl(bed, "reproduce", str(run))
    assert said.code == 0, said.err
    new = run.parent / f"{NAME}-reproduced"
    assert "is identical to shapes-v1s4.safetensors, bit for bit" in said.out
    same_tensors(run / f"{NAME}.safetensors", new / f"{new.name}.safetensors")
    assert (git(demo.checkout, "status", "--porcelain"), git(demo.checkout, "log", "--format=%H")) == before
    old, found = manifest_of(run), manifest_of(new)
    assert found["reproduces"] == {
        "name": NAME, "directory": str(run), "created": old["created"], "differences": [],
    }  # fmt: skip
    assert found["repositories"][0]["tree"] == old["repositories"][0]["tree"]
    assert found["repositories"][0]["commit"] == old["repositories"][0]["commit"]
    assert (new / "spec.toml").read_bytes() == (run / "spec.toml").read_bytes()
    assert not any(f"{run}/" in word or str(bed.root) in word for word in found["argv"])
    assert "bit for bit" in (new / "kl.log").read_text()
    assert "not as it was" not in said.err


def test_reproduce_sh_trains_the_same_weights(bed: Bed, run: Path) -> None:
    output = bed.folder / "by hand"
    environ = {**kl_environ(bed), "OUTPUT": str(output)}
    done = subprocess.run(
        ["sh", str(run / "reproduce.sh")], env=environ, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    same_tensors(run / f"{NAME}.safetensors", output / f"{NAME}.safetensors")


def test_a_run_without_a_seed_takes_that_of_its_model(bed: Bed, run: Path) -> None:
    unseeded = run.parent / UNSEEDED
    assert not any(word.startswith("--seed") for word in manifest_of(unseeded)["argv"])
    said = kl(bed, "reproduce", str(unseeded))
    assert said.code == 0, said.err
    assert "bit for bit" in said.out
    assert "it was given no seed and took" in said.err
    new = run.parent / f"{UNSEEDED}-reproduced"
    assert [word for word in manifest_of(new)["argv"] if word.startswith("--seed=")]
    output = bed.folder / "by hand, no seed"
    environ = {**kl_environ(bed), "OUTPUT": str(output)}
    script = ["sh", str(unseeded / "reproduce.sh")]
    done = subprocess.run(script, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    same_tensors(unseeded / f"{UNSEEDED}.safetensors", output / f"{UNSEEDED}.safetensors")


def test_a_reproduction_is_reproduced_without_the_cache(bed: Bed, run: Path, tmp_path: Path) -> None:
    first = run.parent / f"{NAME}-reproduced"
    said = kl(bed, "reproduce", str(first), "--json", XDG_CACHE_HOME=str(tmp_path))
    assert said.code == 0, said.err
    data = json.loads(said.out)
    assert (data["name"], data["identical"], data["outcome"]) == (f"{NAME}-reproduced-2", True, "succeeded")
    assert data["weights"]["tensors"] > 100


def test_in_the_background_the_comparison_is_in_the_log(bed: Bed, run: Path) -> None:
    said = kl(bed, "reproduce", str(run), "--as", "again-v1s4", "--detach")
    assert (said.code, said.out) == (0, "again-v1s4\n"), said.err
    assert kl(bed, "attach", str(run.parent / "again-v1s4")).code == 0
    log = run.parent / "again-v1s4" / "kl.log"
    until(lambda: "bit for bit" in log.read_text(), "the comparison in kl.log")


@pytest.fixture
def changed(demo: Demo) -> Iterator[Path]:
    """Changes files of the dataset, and puts them back."""
    kept = {path: path.read_bytes() for path in demo.dataset.rglob("*") if path.is_file()}
    yield demo.dataset / "img"
    for path, content in kept.items():
        path.write_bytes(content)


def test_a_changed_caption_refuses_and_allowed_it_is_recorded(bed: Bed, run: Path, changed: Path) -> None:
    caption = sorted(changed.glob("*.txt"))[0]
    caption.write_text("another caption of it\n")
    before = sorted(run.parent.iterdir())
    said = kl(bed, "reproduce", str(run))
    assert said.code == ExitCode.SPEC_REFUSED
    assert caption.name in said.err and "--allow dataset" in said.err
    assert sorted(run.parent.iterdir()) == before
    assert kl(bed, "reproduce", str(run), "--allow", "code").code == ExitCode.SPEC_REFUSED
    said = kl(bed, "reproduce", str(run), "--allow", "dataset", "--as", "other-v1s4")
    assert said.code == 0, said.err
    [difference] = manifest_of(run.parent / "other-v1s4")["reproduces"]["differences"]
    assert difference.startswith("dataset: ") and caption.name in difference
    assert "is not identical to shapes-v1s4.safetensors" in said.out
    assert "the largest difference is" in said.out


def test_a_changed_copy_and_a_missing_interpreter_refuse(bed: Bed, run: Path, tmp_path: Path) -> None:
    copy = tmp_path / NAME
    shutil.copytree(run, copy)
    (copy / "config.toml").write_text((copy / "config.toml").read_text() + "# edited\n")
    said = kl(bed, "reproduce", str(copy))
    assert said.code == ExitCode.SPEC_REFUSED
    assert "--allow files" in said.err and "config.toml" in said.err
    data = manifest_of(copy)
    data["python"] = data["argv"][0] = "/nowhere/bin/python"
    (copy / "run.json").write_text(json.dumps(data))
    said = kl(bed, "reproduce", str(copy))
    assert said.code == ExitCode.ENVIRONMENT_NOT_READY
    assert "--sync-env" in said.err


def test_code_that_is_lost_refuses_and_the_rest_of_it_is_allowed(bed: Bed, run: Path, tmp_path: Path) -> None:
    copy = tmp_path / NAME
    shutil.copytree(run, copy)
    shutil.rmtree(copy / "patches")
    cache = str(tmp_path / "cache")
    said = kl(bed, "reproduce", str(copy), XDG_CACHE_HOME=cache)
    assert said.code == ExitCode.SPEC_REFUSED
    assert "--allow code" in said.err and "sd-scripts.patch" in said.err
    said = kl(bed, "reproduce", str(copy), "--allow", "code", XDG_CACHE_HOME=cache)
    assert said.code == 0, said.err  # what was edited was a remark
    differences = manifest_of(tmp_path / f"{NAME}-reproduced")["reproduces"]["differences"]
    assert any("without changes in the new run" in each for each in differences)
    data = manifest_of(copy)
    data["repositories"][0]["path"] = data["trainer"]["checkout"] = "/nowhere/sd-scripts"
    (copy / "run.json").write_text(json.dumps(data))
    said = kl(bed, "reproduce", str(copy), "--allow", "code", "--as", "no-v1s4", XDG_CACHE_HOME=str(tmp_path / "new"))
    assert said.code == ExitCode.ENVIRONMENT_NOT_READY
    assert "Nothing is left of the code" in said.err


def test_a_run_of_the_first_version_says_what_is_not_known(bed: Bed, run: Path, tmp_path: Path) -> None:
    copy = tmp_path / NAME
    shutil.copytree(run, copy)
    later = ("dataset.json", "environment.json", "reproduce.sh", "metadata.json")
    for name in later:
        (copy / name).unlink(missing_ok=True)
    data = manifest_of(copy)
    data["files"] = [record for record in data["files"] if record["name"] not in later]
    for field in ("inputs", "dataset", "reproduces"):
        del data[field]
    data["manifest_version"] = 1
    for record in data["repositories"]:
        for field in ("tree", "patch", "left_out", "inside"):
            del record[field]
    (copy / "run.json").write_text(json.dumps(data))
    said = kl(bed, "reproduce", str(copy))
    assert said.code == ExitCode.SPEC_REFUSED  # its changes are unknown
    assert "--allow code" in said.err
    said = kl(bed, "reproduce", str(copy), "--allow", "code")
    assert said.code == 0, said.err
    assert "pictures and captions, base model and other inputs and packages" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--allow", "datset"), "Did you mean dataset?"),
        (("--as", "a b"), "is not a run's name"),
        (("--as", "fox-v1s100"), "says 100 steps"),
        (("--sync-env", "--python", "/bin/true"), "name two environments"),
        (("--json", "--detach"), "nobody waits"),
    ],
)
def test_wrong_usage(bed: Bed, run: Path, words: tuple[str, ...], message: str) -> None:
    said = kl(bed, "reproduce", str(run), *words)
    assert said.code == ExitCode.USAGE
    assert message in said.err


def test_a_name_that_is_taken_is_refused(bed: Bed, run: Path, tmp_path: Path) -> None:
    said = kl(bed, "reproduce", str(run), "--as", NAME)
    assert said.code == ExitCode.OUTPUT_UNAVAILABLE
    assert "exists already" in said.err and "--as NEW" in said.err
    (elsewhere := tmp_path / "no room").mkdir()
    shutil.copytree(run, elsewhere / NAME)
    (elsewhere / "new-v1s4").symlink_to("/nowhere/at/all")
    said = kl(bed, "reproduce", str(elsewhere / NAME), "--as", "new-v1s4")
    assert said.code == ExitCode.OUTPUT_UNAVAILABLE and "--as NEW" in said.err


def test_pictures_that_are_gone_are_to_be_put_back(bed: Bed, run: Path, changed: Path) -> None:
    gone = sorted(changed.glob("*.png"))[0]
    gone.unlink()
    said = kl(bed, "reproduce", str(run))
    assert said.code == ExitCode.SPEC_REFUSED
    assert f"{gone.name} is gone" in said.err and "Put what is gone back where it was" in said.err


def test_variables_set_only_now_are_left_out(bed: Bed, run: Path) -> None:
    said = kl(bed, "reproduce", str(run), "--as", "quiet-v1s4", OMP_DYNAMIC="true")
    assert said.code == 0, said.err
    assert "OMP_DYNAMIC is set now and was not then" in said.err
    recorded = json.loads((run.parent / "quiet-v1s4" / "environment.json").read_text())
    assert "OMP_DYNAMIC" not in recorded["variables"]
