#!/usr/bin/env python3
"""`kl ls` over 5,000 runs, against a bare interpreter and against reading every manifest with Python's json.

    python benchmarks/ls.py

Budget: 1 s. The runs are made up: a manifest of 28 kB each with inputs, dataset and hashes, a model, checkpoints,
states, samples, a log, every tenth with notes. Models are files without blocks on disk, so that they take no room. The
file of which `kl show` looks for the maker was moved away from its run: its hashes are recorded there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from timing import run, show, take_turns

from launcher.record.hashes import file_hash
from launcher.record.manifest import (
    ArtifactRecord,
    Attempt,
    DatasetRecord,
    FileRecord,
    InputRecord,
    Manifest,
    OptionRecord,
    RepositoryRecord,
    TrainerRecord,
)
from launcher.record.notes import add_note

KL = str(Path(sys.executable).parent / "kl")
STEPS = 2400
FILES = (
    "spec.toml", "template-sdxl.toml", "config.toml", "sample-prompts.txt", "accelerate.yaml", "repos.git",
    "reproduce.sh", "environment.json", "dataset.json", "metadata.json", "patches/sd-scripts.patch",
    "patches/LyCORIS.patch",
)  # fmt: skip
NAIVE = """
import json, sys
from pathlib import Path
for folder in sorted(Path(sys.argv[1]).iterdir()):
    manifest = json.loads((folder / "run.json").read_text("utf-8"))
    size = sum(path.lstat().st_size for path in folder.rglob("*"))
    last = manifest["attempts"][-1]
    print(manifest["name"], manifest["outcome"], last["last_step"], last["last_loss"], last["started"], size)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.home()) as name:
        root, home = Path(name) / "out", Path(name) / "home"
        size = [_make(root, number) for number in range(given.runs)][-1]
        moved = _moved_away(root / f"fox-noob-v{given.runs // 2}s{STEPS}", Path(name) / "moved.safetensors")
        environment = {**os.environ, "OUTPUT_DIR": str(root), "HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
        environment |= {"XDG_CONFIG_HOME": str(home / "config"), "XDG_CACHE_HOME": str(home / "cache")}
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "kl --version": [KL, "--version"],
            "kl ls": [KL, "ls"],
            "kl ls --json": [KL, "ls", "--json"],
            "kl ls --failed --since 2d": [KL, "ls", "--failed", "--since", "2d"],
            "kl ls --dataset owl": [KL, "ls", "--dataset", "owl"],
            "kl ls hands (a word of the notes)": [KL, "ls", "hands"],
            "kl show of one": [KL, "show", f"fox-noob-v{given.runs - 1}s{STEPS}"],
            "kl show of a file that was moved": [KL, "show", str(moved)],
            "every run.json read, every file counted": [sys.executable, "-c", NAIVE, str(root)],
        }

        print(f"{given.runs} runs, {size / 1000:.0f} kB of manifest each")
        actions = {name: (lambda words=words: run(words, env=environment)) for name, words in commands.items()}
        take_turns(actions, 1)
        show(take_turns(actions, given.rounds), "python -c pass")


def _make(root: Path, number: int) -> int:
    """A run as a training of a few hours leaves it. Returns the bytes of its manifest."""
    name = f"fox-noob-v{number}s{STEPS}"
    directory = root / name
    for folder in ("logs/network_train", "sample"):
        (directory / folder).mkdir(parents=True)
    artifacts = tuple(_artifacts(name))
    for artifact in artifacts:
        if artifact.kind == "state":
            (directory / artifact.path).mkdir()
            for part in ("model.safetensors", "optimizer.bin", "random_states_0.pkl", "scheduler.bin"):
                _file(directory / artifact.path / part, artifact.size // 4)
        else:
            _file(directory / artifact.path, artifact.size)
    (directory / "config.toml").write_text('[[datasets]]\n[[datasets.subsets]]\nimage_dir = "/data/fox/img"\n')
    for file in ("spec.toml", "sample-prompts.txt", "accelerate.yaml", "repos.git"):
        _file(directory / file, 500)
    if number % 10 == 0:
        add_note(directory, "best hands so far")
    _file(directory / "sdscripts.log", 30_000)
    _file(directory / "logs/network_train/events", 5_000)
    text = json.dumps(asdict(_manifest(name, number, directory, artifacts)), indent=2)
    (directory / "run.json").write_text(text)
    return len(text)


def _manifest(name: str, number: int, directory: Path, artifacts: tuple[ArtifactRecord, ...]) -> Manifest:
    started = datetime.now(timezone.utc) - timedelta(hours=number)
    attempt = Attempt(
        started=started.isoformat(timespec="seconds"),
        ended=(started + timedelta(hours=2)).isoformat(timespec="seconds"),
        pid=4000,
        pid_started=1.0,
        exit_code=0 if number % 5 else 1,
        last_step=STEPS,
        total_steps=STEPS,
        last_loss=0.1 + number / 1e5,
        log="sdscripts.log",
    )
    values: dict[str, Any] = {f"some_option_of_the_trainer_{n}": n for n in range(70)}
    values["dataset_config"] = str(directory / "config.toml")
    return Manifest(
        name=name,
        created=attempt.started,
        trainer=TrainerRecord("/home/lynx/sd-scripts", "sdxl_train_network.py", "0" * 40, "main", False),
        argv=tuple(word for option, value in values.items() for word in (f"--{option}", str(value))),
        options=tuple(OptionRecord(option, value, "spec", "specs/fox.toml:12") for option, value in values.items()),
        final=(f"{name}.safetensors",),
        steps=STEPS,
        files=tuple(FileRecord(n, f"/data/{n}", "1" * 40, "2" * 64, 500) for n in FILES),
        repositories=tuple(
            RepositoryRecord(
                n,
                f"/src/{n}",
                "0" * 40,
                "main",
                True,
                f"https://git.example/{n}.git",
                None,
                "3" * 40,
                f"patches/{n}.patch",
                ("img/a.png: 3 MB",),
            )
            for n in ("sd-scripts", "LyCORIS")
        ),
        inputs=tuple(
            InputRecord(n, f"/models/{n}.safetensors", 7_000_000_000, 1.8e9, "4" * 64, "5" * 8)
            for n in ("pretrained_model_name_or_path", "vae", "network_weights")
        ),
        dataset=DatasetRecord("6" * 64, "dataset.json", 48, 48, 90_000_000),
        attempts=(attempt,),
        artifacts=artifacts,
    )


def _artifacts(name: str) -> Iterator[ArtifactRecord]:
    yield ArtifactRecord(f"{name}.safetensors", "model", 100_000_000, "7" * 64, "8" * 64)
    for step in range(400, STEPS, 400):
        yield ArtifactRecord(f"{name}-step{step:08d}.safetensors", "checkpoint", 100_000_000, "7" * 64, "8" * 64)
    for step in (1600, 2000):
        yield ArtifactRecord(f"{name}-step{step:08d}-state", "state", 400_000_000, "9" * 64)
    for picture in range(12):
        yield ArtifactRecord(f"sample/{name}_{picture}.png", "sample", 1_000_000, "0" * 64)


def _moved_away(directory: Path, file: Path) -> Path:
    """A LoRA file with the hashes that this run recorded of its model, which is gone."""
    header = json.dumps({"a": {"dtype": "U8", "shape": [99_000_000], "data_offsets": [0, 99_000_000]}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(file, 8 + len(header) + 99_000_000)
    found = file_hash(file, weights=True, remembered=False)
    data = json.loads((directory / "run.json").read_text())
    data["artifacts"][0] |= {"size": found.size, "sha256": found.sha256, "weights_sha256": found.weights}
    (directory / "run.json").write_text(json.dumps(data, indent=2))
    (directory / f"{directory.name}.safetensors").unlink()
    return file


def _file(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


if __name__ == "__main__":
    main()
