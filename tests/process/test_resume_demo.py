"""`kl resume` over the demo trainer: the checks run again, and what has changed is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import Bed, kl, manifest_of

from launcher.base.errors import ExitCode
from launcher.data.safetensors_header import Header, read_header
from launcher.demo.layout import Demo, lay_out, missing_packages
from launcher.run.states import find_states

NAME = "shapes-v1s20"

pytestmark = pytest.mark.skipif(bool(missing_packages()), reason="the demo's packages are not installed")


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Bed:
    return Bed(tmp_path_factory.mktemp("resume"))


@pytest.fixture(scope="module")
def demo(bed: Bed) -> Demo:
    """8 steps an epoch, saved every 3 steps and every epoch."""
    demo = lay_out(bed.folder / "demo")
    config = demo.dataset / "config.toml"
    text = config.read_text().replace("num_repeats = 30", "num_repeats = 2").replace("batch_size = 4", "batch_size = 2")
    config.write_text(text)
    spec = demo.spec.read_text().replace("save_every_n_steps = 20", "save_every_n_steps = 3\nsave_every_n_epochs = 1")
    demo.spec.write_text(spec.replace("sample_every_n_steps = 20", "sample_every_n_epochs = 2"))
    return demo


@pytest.fixture(scope="module")
def crashed(bed: Bed, demo: Demo) -> Path:
    """The directory of a run that was launched with `--set seed=7`, and crashed after 13 of 20 steps."""
    said = kl(bed, "launch", NAME, "--set", "seed=7", cwd=demo.spec.parent, KL_DEMO_FAIL_AT_STEP="14")
    assert said.code == 1, said.err
    return bed.root / NAME


def test_another_spec_is_refused_with_what_is_otherwise(bed: Bed, demo: Demo, crashed: Path) -> None:
    before = demo.spec.read_text()
    demo.spec.write_text(before.replace("learning_rate = 3e-3", "learning_rate = 2e-3"))
    said = kl(bed, "resume", NAME, cwd=demo.spec.parent)
    demo.spec.write_text(before)
    assert said.code == ExitCode.SPEC_REFUSED, said.err
    assert "learning_rate: 0.003 then, 0.002 now" in said.err
    assert "--as-recorded" in said.err
    assert "seed" not in said.err  # given at the launch, and not in the spec
    assert len(manifest_of(crashed)["attempts"]) == 1


def test_a_spec_that_is_refused_today_is_not_trained_on(bed: Bed, demo: Demo, crashed: Path) -> None:
    before = demo.spec.read_text()
    demo.spec.write_text(f"{before}\n[more]\nnetwork_dimm = 4\n")
    said = kl(bed, "resume", NAME, "--as-recorded", cwd=demo.spec.parent)
    demo.spec.write_text(before)
    assert said.code == ExitCode.SPEC_REFUSED, said.err
    assert "network_dimm" in said.err


def test_it_goes_on_and_says_what_has_changed(bed: Bed, demo: Demo, crashed: Path) -> None:
    demo.spec.write_text(f"{demo.spec.read_text()}\n# a remark\n")
    (demo.checkout / "README.md").write_text("changed\n")
    # What is set today is for other runs.
    today = {"SD_REPO": "/nowhere", "STEPS": "99", "TRAINING_DIR": "/nowhere"}
    said = kl(bed, "resume", NAME, "--plain", cwd=demo.spec.parent, **today)
    assert said.code == 0, said.err
    changes = manifest_of(crashed)["attempts"][1]["changes"]
    assert f"the text of {demo.spec} was changed" in changes
    assert "sd-scripts has changes that are not committed, and had none then" in changes
    assert all(f"since the launch: {change}" in said.err for change in changes)


def test_the_count_went_on(crashed: Path) -> None:
    steps = {int(path.stem[-8:]): path for path in crashed.glob(f"{NAME}-step*.safetensors")}
    assert sorted(steps) == [3, 6, 9, 12, 15, 18]
    for step, path in {**steps, 20: crashed / f"{NAME}.safetensors"}.items():
        header = read_header(path)
        assert isinstance(header, Header)
        assert header.metadata["ss_steps"] == str(step)
    assert [state.step for state in find_states(crashed, NAME).whole] == [20, 18, 16, 15, 12, 9, 8, 6, 3]
    manifest = manifest_of(crashed)
    assert [attempt["last_step"] for attempt in manifest["attempts"]] == [13, 20]
    assert [attempt["total_steps"] for attempt in manifest["attempts"]] == [20, 20]
    assert manifest["outcome"] == "succeeded"
