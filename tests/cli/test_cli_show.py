"""`kl show`: a run on one screen, the path of a file of it, and what a LoRA file says of itself."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from cli_bed import Bed, Ended, make_bed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.cli.render_lora import model_as_data, model_as_text
from launcher.data.safetensors_header import Header, read_header
from launcher.record.environment import EnvironmentRecord, PythonRecord, environment_bytes
from launcher.record.hashes import file_hash
from launcher.record.machine import GpuRecord
from launcher.record.manifest import (
    ArtifactRecord,
    Attempt,
    DatasetRecord,
    FileRecord,
    FindingRecord,
    InputRecord,
    Manifest,
    OptionRecord,
    RepositoryRecord,
    ReproducedRecord,
    TrainerRecord,
    write_manifest,
)
from launcher.record.model_metadata import ModelMetadata, metadata_bytes
from launcher.record.packages import PackageRecord, TorchRecord

NAME = "fox-v1s10"
ATTEMPT = Attempt(
    started="2026-11-01T10:00:00+00:00", ended="2026-11-01T10:05:00+00:00", exit_code=0, outcome="succeeded",
    last_step=10, total_steps=10, last_loss=0.5, lowest_loss=0.25, log="sdscripts.log",
)  # fmt: skip
OOM = """Traceback (most recent call last):
  File "train_network.py", line 5, in <module>
    train()
RuntimeError: CUDA out of memory. Tried to allocate 2 GiB
"""


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


def _root(bed: Bed) -> Path:
    return bed.root / "out"


def _manifest(directory: Path, **more: Any) -> Manifest:
    manifest = Manifest(
        kl_version="0.1.0",
        name=NAME,
        created=ATTEMPT.started,
        trainer=TrainerRecord("/home/lynx/sd-scripts", "train_network.py", "a1b2c3d4e5f6" + "0" * 28, "main", True),
        python="/home/lynx/venv/bin/python",
        variables={"HF_HUB_OFFLINE": "1", "PATH": "/bin"},
        options=(
            OptionRecord("cpu", True, "spec", "specs/fox.toml:3", "accelerate"),
            OptionRecord("learning_rate", 1e-4, "spec", "specs/fox.toml:4"),
            OptionRecord("network_args", {"algo": "locon"}, "template", "lora.toml:2"),
            OptionRecord("max_train_steps", 10, "name", f"the name {NAME}"),
        ),
        final=(f"{NAME}.safetensors",),
        files=(FileRecord("spec.toml", "/specs/fox.toml", "1" * 40, "2" * 64, 20),),
        repositories=(RepositoryRecord("LyCORIS", "/lycoris", "b" * 40, "dev", False),),
        notes="lower rate\nthan before",
        findings=(FindingRecord("warning", "no-captions", "3 pictures have no caption.", "/data/fox"),),
        attempts=(ATTEMPT,),
        artifacts=(ArtifactRecord(f"{NAME}.safetensors", "model", 1000), ArtifactRecord("gone.ckpt", "model", 5)),
        not_recorded=("the GPU: no driver",),
    )
    return replace(manifest, **more)


def _run(bed: Bed, *, model: bytes | None = b"x" * 1000, **more: Any) -> Path:
    directory = _root(bed) / NAME
    directory.mkdir(parents=True)
    (directory / "spec.toml").write_text("seed = 5\n")
    if model is not None:
        (directory / f"{NAME}.safetensors").write_bytes(model)
    write_manifest(_manifest(directory, **more), directory)
    return directory


def _show(bed: Bed, *words: str | bytes, **environ: str) -> Ended:
    return bed.kl("show", *words, OUTPUT_DIR=str(_root(bed)), TZ="UTC", **environ)


def _lora(path: Path, metadata: dict[str, str], weights: bytes = b"\0" * 96) -> Path:
    tensors: dict[str, Any] = {"lora_unet_down_blocks_0_attentions_0_attn2_to_k.lora_down.weight": (4, 6)}
    header = {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 96]} for name, shape in tensors.items()}
    text = json.dumps({"__metadata__": metadata, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + weights)
    return path


def test_a_run_on_one_screen(bed: Bed) -> None:
    directory = _run(bed)
    done = _show(bed, NAME)
    assert done.code == 0 and done.err == ""
    lines = done.out.splitlines()
    assert lines[0] == "fox-v1s10: succeeded, 10/10 steps, loss 0.5, lowest 0.25, 5 min 0 s"
    assert all(len(line) <= 120 for line in lines) and len(lines) < 30
    for line in (
        "  attempt 1         2026-11-01 10:00, 5 min 0 s, succeeded, exit code 0, 10/10 steps, loss 0.5, sdscripts.log",
        "  notes             lower rate",
        "                    than before",
        "  trainer           train_network.py of /home/lynx/sd-scripts",
        "  code              commit a1b2c3d4e5f6, branch main, with uncommitted changes",
        "  LyCORIS           commit bbbbbbbbbbbb, branch dev, clean",
        "  variables         HF_HUB_OFFLINE=1",
        "  by spec           accelerate.cpu, learning_rate=0.0001, (in specs/fox.toml)",
        "  by template       network_args=(algo=locon), (in lora.toml)",
        "  by name           max_train_steps=10",
        "  model             fox-v1s10.safetensors                               1 kB",
        "  gone              1 of 2 artifacts that were recorded",
        "  findings          warning /data/fox: 3 pictures have no caption. [no-captions]",
        "  not recorded      the GPU: no driver",
    ):
        assert line in lines, line
    assert f"directory         {directory}" in done.out
    assert "sha256 222222222222  from /specs/fox.toml" in done.out
    assert "failed" not in done.out and "let through" not in done.out


def test_why_it_failed(bed: Bed) -> None:
    directory = _run(bed, model=None, attempts=(replace(ATTEMPT, exit_code=1),))
    (directory / "sdscripts.log").write_text(OOM)
    done = _show(bed, NAME)
    assert done.out.startswith("fox-v1s10: failed")
    assert "  failed            the trainer ended with 1\n" in done.out
    assert "RuntimeError: CUDA out of memory. Tried to allocate 2 GiB\n" in done.out
    assert "  what to do        1. " in done.out
    failure = json.loads(_show(bed, NAME, "--json").out)["failure"]
    assert failure["exception"].startswith("RuntimeError") and failure["cause"] and failure["steps"]
    (directory / "sdscripts.log").write_text("saying\nnothing\n")
    assert "  the log ends      saying\n                    nothing\n" in _show(bed, NAME).out


def test_an_end_that_nobody_saw_is_not_given_an_exit_code(bed: Bed) -> None:
    attempt = replace(ATTEMPT, ended=None, exit_code=None, pid=2**22 + 5, pid_started=1.0)
    directory = _run(bed, model=None, attempts=(attempt,))
    (directory / "sdscripts.log").write_text(OOM)
    out = _show(bed, NAME).out
    assert out.startswith("fox-v1s10: failed")
    assert "nobody saw its exit code" in out and "exit code 1" not in out and "ended with" not in out


def test_lost_and_stopped(bed: Bed) -> None:
    directory = _run(bed, model=None, attempts=(replace(ATTEMPT, ended=None, exit_code=None),))
    assert "  lost              it runs no more, and nobody saw how it ended\n" in _show(bed, NAME).out
    stopped = replace(ATTEMPT, exit_code=130, stop_signal=2, stop_reason="the loss is nan", outcome="stopped")
    write_manifest(_manifest(directory, attempts=(stopped,)), directory)
    out = _show(bed, NAME).out
    told = " ".join(out.split())
    assert "stopped, exit code 130 (SIGINT), asked to stop by SIGINT, the loss is nan, 10/10 steps" in told
    assert "\n  failed" not in out


def test_a_running_run_shows_what_its_log_says(bed: Bed) -> None:
    me = psutil.Process()
    alive = replace(ATTEMPT, ended=None, exit_code=None, kl_pid=me.pid, kl_started=me.create_time(), last_step=2)
    directory = _run(bed, model=None, attempts=(alive,))
    bar = "steps:  30%|###       | 3/10 [00:01<00:02,  1.50s/it, avr_loss=0.125]"
    (directory / "sdscripts.log").write_text(bar)
    assert _show(bed, NAME).out.startswith("fox-v1s10: running, 3/10 steps, loss 0.125, lowest 0.125, ")
    (directory / "sdscripts.log").write_text(bar.replace("0.125", "nan"))
    assert _show(bed, NAME).out.startswith("fox-v1s10: running, 3/10 steps, loss nan, lowest 0.25, ")


def test_a_removed_run(bed: Bed) -> None:
    record = bed.home / ".state" / "kl" / "removed" / f"{NAME}-20261101T101010Z"
    record.mkdir(parents=True)
    write_manifest(_manifest(record, attempts=(replace(ATTEMPT, exit_code=1),)), record)
    (record / "sdscripts.log").write_text(OOM)
    out = _show(bed, NAME).out
    assert out.startswith("fox-v1s10: failed, removed") and "its log and manifest" in out and "gone" not in out
    assert "CUDA out of memory" in out
    assert _show(bed, NAME, "sdscripts.log").out == f"{record}/sdscripts.log\n"
    assert "Of a removed run only its log and manifest are left" in _show(bed, NAME, "config.toml").err


def test_json(bed: Bed) -> None:
    directory = _run(bed, attempts=(replace(ATTEMPT, last_loss=float("nan")),))
    data = json.loads(_show(bed, NAME, "--json").out)
    assert data.pop("manifest") == json.loads((directory / "run.json").read_text())
    assert data.pop("bytes") > 1000
    model = {"path": f"{directory}/{NAME}.safetensors", "kind": "model", "bytes": 1000}
    assert data == {
        "name": NAME, "directory": str(directory), "removed": False, "outcome": "succeeded", "seconds": 300.0,
        "step": 10, "total_steps": 10, "loss": "nan", "failure": None, "artifacts": [model],
        "gone": ["gone.ckpt"], "noted": [], "environment": None,
    }  # fmt: skip


def test_what_it_was_made_of(bed: Bed) -> None:
    changed = RepositoryRecord(
        "sd-scripts", "/home/lynx/sd-scripts", "a" * 40, "main", True, None, None, "t" * 40, "patches/sd-scripts.patch",
        ("big.bin: 5 MB", ".env: its name is a secret's", "a: x", "b: y"),
    )  # fmt: skip
    package = RepositoryRecord("LyCORIS", "/lycoris", "b" * 40, "dev", True, None, None, None, "patches/LyCORIS.patch")
    inside = RepositoryRecord("sd-scripts/a/sub/path", "/p", "c" * 40, "main", False, inside="sd-scripts")
    inputs = (
        InputRecord("pretrained_model_name_or_path", "/m/base.safetensors", 7_000_000_000, 1.0, "c" * 64, "31e35c80"),
        InputRecord("vae", "owner/vae", revision="d" * 40),
        InputRecord("network_weights", "/m/gone.safetensors", problem="is not there"),
    )
    reproduced = ReproducedRecord("fox-v0s10", "/old/fox-v0s10", ATTEMPT.started, ("torch 2.7.1 is 2.8.0 here",))
    data = DatasetRecord("e" * 64, "dataset.json", 8, 7, 12_000_000, None)
    directory = _run(
        bed, repositories=(changed, package, inside), inputs=inputs, reproduces=reproduced, dataset=data,
        artifacts=(ArtifactRecord(f"{NAME}.safetensors", "model", 1000),),
    )  # fmt: skip
    gpu = GpuRecord("NVIDIA H200", 150_000_000_000)
    environment = EnvironmentRecord(
        PythonRecord("/home/lynx/venv/bin/python", "3.10.12", "CPython"), (PackageRecord("torch", "2.7.1"),) * 2,
        TorchRecord("2.7.1", "12.8"), (), (gpu, gpu), "570.1", "12.9", "den", "Linux 6.8", None, 16, 137_000_000_000,
    )  # fmt: skip
    (directory / "environment.json").write_bytes(environment_bytes(environment))
    done = _show(bed, NAME)
    assert done.code == 0
    lines = done.out.splitlines()
    for line in (
        "  reproduces        fox-v0s10 of 2026-11-01 10:00 in /old/fox-v0s10",
        "  not the same      torch 2.7.1 is 2.8.0 here",
        "                    changes in patches/sd-scripts.patch",
        "                    left out of them: big.bin: 5 MB, .env: its name is a secret's, a: x and 1 more",
        "  LyCORIS           commit bbbbbbbbbbbb, branch dev, with uncommitted changes",
        "                    changes in patches/LyCORIS.patch",
        "  sd-scripts/a/sub/path commit cccccccccccc, branch main, clean",
        "  environment       /home/lynx/venv/bin/python, CPython 3.10.12, torch 2.7.1 for CUDA 12.8, 2 packages",
        "  machine           den, Linux 6.8, 2 × NVIDIA H200 (150 GB), driver 570.1, 16 processors, 137 GB of memory",
        "  dataset           8 pictures, 7 captions, 12 MB, sha256 eeeeeeeeeeee, each in dataset.json",
        f"  inputs            {'/m/base.safetensors':<40}    7 GB  sha256 cccccccccccc  short 31e35c80  "
        "(pretrained_model_name_or_path)",
        f"                    {'owner/vae':<40}  revision dddddddddddd  (vae)",
        f"                    {'/m/gone.safetensors':<40}  is not there  (network_weights)",
    ):
        assert line in lines, line
    assert json.loads(_show(bed, NAME, "--json").out)["environment"]["torch"]["cuda"] == "12.8"
    for damaged in ("{", '{"environment_version": 1, "packages": 5, "gpus": [7], "memory": "x", "torch": []}'):
        (directory / "environment.json").write_text(damaged)
        assert _show(bed, NAME).code == 0


def test_what_its_model_said_when_it_was_moved_away(bed: Bed) -> None:
    directory = _run(bed)
    said = ModelMetadata(f"{NAME}.safetensors", {"ss_output_name": NAME, "ss_network_dim": "4", "ss_seed": "None"})
    (directory / "metadata.json").write_bytes(metadata_bytes(said))
    assert "metadata.json" not in _show(bed, NAME).out
    (directory / f"{NAME}.safetensors").unlink()
    lines = _show(bed, NAME).out.splitlines()
    assert lines[0].startswith(f"{NAME}: succeeded")
    at = lines.index(
        f"  model             {NAME}.safetensors is gone; what it said of its training stands in metadata.json"
    )
    assert lines[at + 1 : at + 3] == [f"  trained           output_name={NAME}", "  network           network_dim=4"]
    (directory / "metadata.json").write_text("{")
    assert "metadata.json" not in _show(bed, NAME).out


def test_the_path_of_a_file(bed: Bed) -> None:
    directory = _run(bed)
    (directory / "sample").mkdir()
    (directory / "sample" / "a b\n.png").touch()
    assert _show(bed, NAME, "spec.toml").out == f"{directory}/spec.toml\n"
    assert _show(bed, NAME, "sample/a b\n.png").out == f"{directory}/sample/a b\n.png\n"
    assert _show(bed, str(directory), "./sample").out == f"{directory}/sample\n"
    wrong = _show(bed, NAME, "spec.tml")
    assert wrong.code == 64 and wrong.out == "" and "Did you mean spec.toml?" in wrong.err


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "link", "sample/../../outside", ".", "..", "", "loop"])
def test_a_file_outside_is_refused(bed: Bed, name: str) -> None:
    directory = _run(bed)
    (directory.parent / "outside").touch()
    (directory / "link").symlink_to(directory.parent / "outside")
    (directory / "loop").symlink_to("loop")
    done = _show(bed, NAME, name)
    assert done.code == 64 and done.out == "" and done.err.startswith("error: ")


def test_unknown_and_damaged_runs(bed: Bed) -> None:
    directory = _run(bed)
    wrong = _show(bed, "fox-v1s11")
    assert wrong.code == 64 and "Did you mean fox-v1s10?" in wrong.err
    assert _show(bed, "some.safetensors").code == 64
    attempt = '{"manifest_version": 1, "attempts": [{"ended": "x", %s}]}'
    for content in (
        "{", "[" * 9999, '{"manifest_version": 1, "options": [{"origin": 5}]}', '{"manifest_version": 1, "notes": []}',
        attempt % '"log": 5', attempt % '"exit_code": "a"', attempt % '"lowest_loss": "low"',
        '{"manifest_version": 1, "final": ["a\\u0000"], "attempts": [{"exit_code": 0}]}',
    ):  # fmt: skip
        (directory / "run.json").write_text(content)
        done = _show(bed, NAME)
        assert (done.code, done.out) == (73, "") and done.err.startswith(f"error: The manifest of {NAME} "), content


def test_a_lora_file(bed: Bed) -> None:
    directory = _run(bed)
    says = {
        "ss_output_name": NAME, "ss_steps": "10", "ss_network_dim": "4", "ss_seed": "None", "ss_v2": "False",
        "ss_training_started_at": "1793527200.5", "ss_training_finished_at": "1793527230.5", "sshs_model_hash": "0xabc",
        "ss_datasets": json.dumps(
            [{"resolution": [64, 64], "batch_size_per_device": 2,
              "subsets": [{"image_dir": "fox", "img_count": 8, "num_repeats": 3}]}]
        ),
        "ss_tag_frequency": json.dumps({"fox": {"red": 8, "blue": 9}}), "format": "pt",
    }  # fmt: skip
    file = _lora(directory / f"{NAME}.safetensors", says)
    done = _show(bed, str(file))
    assert done.code == 0 and done.err == ""
    for line in (
        f"{NAME}.safetensors: lora of rank 4, 1 tensors, F32, {file.stat().st_size} B",
        "  made by           fox-v1s10 (it stands in the run's directory)",
        "                    training took 30 s",
        "  network           network_dim=4",
        "  dataset           fox: 8 pictures × 3, at 64×64, batches of 2",
        "  most tags         blue (9), red (8)",
        "  hashes            sshs_model_hash=0xabc",
        "  also              format=pt",
    ):
        assert line in done.out.splitlines(), line
    assert "seed" not in done.out and "v2" not in done.out
    data = json.loads(_show(bed, str(file), "--json").out)
    assert data["metadata"] == says and data["run"]["by"] == "path" and data["ranks"] == {"4": 1}
    assert len(data["sha256"]) == 64


def test_a_copy_of_a_lora_file_and_one_of_nobody(bed: Bed) -> None:
    directory = _run(bed)
    _lora(directory / f"{NAME}.safetensors", {"ss_steps": "10"})
    size = (directory / f"{NAME}.safetensors").stat().st_size
    write_manifest(_manifest(directory, artifacts=(ArtifactRecord(f"{NAME}.safetensors", "model", size),)), directory)
    copy = _lora(bed.here / "copy.safetensors", {"ss_steps": "10"})
    assert "made by           fox-v1s10 (the same file, byte for byte, is" in _show(bed, "copy.safetensors").out
    recorded = file_hash(copy, weights=True, remembered=False)
    model = ArtifactRecord(f"{NAME}.safetensors", "model", size, recorded.sha256, recorded.weights)
    write_manifest(_manifest(directory, artifacts=(model,)), directory)
    (directory / f"{NAME}.safetensors").unlink()
    assert "made by           fox-v1s10 (the run recorded this very file as" in _show(bed, "copy.safetensors").out
    _lora(copy, {"ss_steps": "11"})
    assert "made by           fox-v1s10 (the run recorded the same weights" in _show(bed, "copy.safetensors").out
    assert json.loads(_show(bed, "copy.safetensors", "--json").out)["run"]["by"] == "weights"
    _lora(copy, {"ss_steps": "11"}, b"\1" * 96)
    assert "made by           no run that kl knows of" in _show(bed, "copy.safetensors").out
    _lora(copy, {}, b"")
    out = _show(bed, "copy.safetensors").out
    assert "96 bytes of its weights are missing" in out and "no_metadata" in out
    copy.write_bytes(b"PK\x03\x04 pickle")
    wrong = _show(bed, "copy.safetensors")
    assert wrong.code == 64 and "is a pickle, not safetensors" in wrong.err


_VALUES = st.text(max_size=20) | st.sampled_from(
    ["[" * 5000, "1" * 50_000, '[{"subsets": 5}, 7]', '{"a": {"b": null, "c": 1e999}}', "nan", "1e999", "-1", "{}"]
)
_KEYS = st.sampled_from(
    ["ss_datasets", "ss_dataset_dirs", "ss_tag_frequency", "ss_training_started_at", "ss_training_finished_at", "ss_x"]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(metadata=st.dictionaries(_KEYS | st.text(max_size=5), _VALUES, max_size=6))
def test_whatever_a_lora_file_says(tmp_path: Path, metadata: dict[str, str]) -> None:
    header = read_header(_lora(tmp_path / "a.safetensors", {}))
    assert isinstance(header, Header)
    hostile = Header(header.tensors, metadata, 0)
    lines = list(model_as_text(tmp_path / "a.safetensors", hostile, None, None))
    assert lines[0].startswith("a.safetensors: lora")
    assert sum(map(len, lines)) < 60_000
    assert model_as_data(tmp_path / "a.safetensors", hostile, None, None)["metadata"] == metadata
