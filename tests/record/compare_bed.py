"""A made-up run as one side of a comparison, with everything recorded, to change one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from launcher.base.files import sha256_of
from launcher.record.dataset import DatasetFile, DatasetFolder, DatasetListing, dataset_record
from launcher.record.environment import EnvironmentRecord, PythonRecord
from launcher.record.machine import GpuRecord
from launcher.record.manifest import (
    ArtifactRecord,
    Attempt,
    FileRecord,
    InputRecord,
    Manifest,
    OptionRecord,
    RepositoryRecord,
    TrainerRecord,
)
from launcher.record.packages import PackageRecord, TorchRecord
from launcher.record.side import Side

CONFIG = b"""[general]
caption_extension = ".txt"

[[datasets]]
resolution = 512

[[datasets.subsets]]
image_dir = "%s"
num_repeats = 10
"""


def sha(text: str) -> str:
    return sha256_of(text.encode())


def listing(folder: str = "/data/img", changed: Mapping[str, str | None] | None = None) -> DatasetListing:
    """Three pictures with captions; `changed` gives a file another content, or with None takes it away."""
    contents: dict[str, str | None] = {}
    for number in ("1", "2", "3"):
        contents |= {f"{number}.png": f"picture {number}", f"{number}.txt": f"caption {number}"}
    contents |= changed or {}
    files = [
        DatasetFile(name, "caption" if name.endswith(".txt") else "picture", len(text), 1, sha(text))
        for name, text in contents.items()
        if text is not None
    ]
    return DatasetListing((DatasetFolder(folder, "images", tuple(files)),))


def options(directory: str, **changed: Any) -> tuple[OptionRecord, ...]:
    """The options of a run in `directory`; `changed` has others, or with None leaves one out."""
    values: dict[str, Any] = {
        "pretrained_model_name_or_path": "/models/base.safetensors",
        "dataset_config": f"{directory}/config.toml",
        "output_dir": directory,
        "output_name": directory.rpartition("/")[2],
        "logging_dir": f"{directory}/logs",
        "learning_rate": 1e-4,
        "network_args": {"algo": "locon", "conv_dim": 8},
        **changed,
    }
    trainer = [OptionRecord(name, value) for name, value in values.items() if value is not None]
    return (OptionRecord("mixed_precision", "no", command="accelerate"), *trainer)


def environment(**changed: Any) -> EnvironmentRecord:
    packages = (PackageRecord("torch", "2.7.1"), PackageRecord("lycoris-lora", "4.1.3"))
    record = EnvironmentRecord(
        PythonRecord("/venv/bin/python", "3.10.13", "CPython"), packages, TorchRecord("2.7.1+cu128", "12.8"),
        gpus=(GpuRecord("NVIDIA H200", 139 << 30),), driver="570.1", host="den", system="Linux",
    )  # fmt: skip
    return replace(record, **changed)


def side(directory: str = "/out/fox-v1s10", **changed: Any) -> Side:
    """A run with all it can record; `changed` are fields of its manifest."""
    files = listing()
    manifest = Manifest(
        name=directory.rpartition("/")[2],
        created="2026-11-01T10:00:00+00:00",
        trainer=TrainerRecord("/code/sd-scripts", "train_network.py", "a" * 40),
        python="/venv/bin/python",
        options=options(directory),
        final=(f"{directory.rpartition('/')[2]}.safetensors",),
        files=(FileRecord("config.toml", "/data/config.toml", sha256=sha("config"), size=6),),
        repositories=(
            RepositoryRecord("sd-scripts", "/code/sd-scripts", "a" * 40, "main", dirty=False, tree="b" * 40),
        ),
        inputs=(
            InputRecord("pretrained_model_name_or_path", "/models/base.safetensors", 7, 1.0, sha("base"), "12345678"),
        ),
        dataset=dataset_record(files),
        attempts=(Attempt(outcome="succeeded", last_step=10, total_steps=10, last_loss=0.5, lowest_loss=0.25),),
        artifacts=(ArtifactRecord("fox.safetensors", "model", 9, sha("model"), sha("weights")),),
    )
    return Side(
        name=manifest.name,
        directory=Path(directory),
        manifest=replace(manifest, **changed),
        files={"config.toml": CONFIG % b"/data/img"},
        dataset=files,
        environment=environment(),
        outcome="succeeded",
        seconds=100.0,
    )
