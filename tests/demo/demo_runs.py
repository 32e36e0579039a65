"""Runs the demo trainer for the tests, as a launcher would: another process, in the checkout, output to a file."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from launcher.demo.layout import Demo

LAUNCH = (
    "-m", "accelerate.commands.launch", "--num_processes=1", "--num_machines=1", "--mixed_precision=no",
    "--dynamo_backend=no", "--cpu", "--num_cpu_threads_per_process=2",
)  # fmt: skip
# Without `accelerate launch` around it, for tests that do not need it: it costs a second loading of torch.
DIRECT = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
TINY = (
    "--network_module=lycoris.kohya", "--network_dim=4", "--network_args", "algo=locon", "preset=attn-mlp",
    "--learning_rate=0.004", "--seed=7", "--max_data_loader_n_workers=0", "--max_train_steps=6",
)  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """One finished run of the trainer."""

    status: int
    folder: Path
    log: str

    @property
    def lines(self) -> list[str]:
        return self.log.replace("\r", "\n").splitlines()

    def names(self) -> set[str]:
        """What lies in the output folder, without the logs."""
        return {path.name for path in self.folder.iterdir()} - {"logs", "sdscripts.log"}


def dataset_config(folder: Path, demo: Demo, repeats: int) -> Path:
    """A dataset config of the demo's pictures, two in a batch: four batches an epoch for each repeat."""
    config = folder / f"dataset-{repeats}.toml"
    config.write_text(
        "[[datasets]]\nresolution = 16\nbatch_size = 2\nenable_bucket = true\n[[datasets.subsets]]\n"
        f"image_dir = '{demo.dataset / 'img'}'\ncaption_extension = '.txt'\nnum_repeats = {repeats}\n",
        encoding="utf-8",
    )
    return config


def train(
    demo: Demo,
    folder: Path,
    *arguments: str,
    script: str = "train_network.py",
    launch: bool = False,
    hooks: dict[str, str] | None = None,
) -> Ran:
    """Train in `folder` under its own name."""
    folder.mkdir()
    log = folder / "sdscripts.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ACCELERATE_", "KL_"))}
    environment |= ({} if launch else DIRECT) | (hooks or {})
    command = [
        sys.executable, *(LAUNCH if launch else ()), script, f"--output_dir={folder}",
        f"--output_name={folder.name}", f"--logging_dir={folder / 'logs'}", *arguments,
    ]  # fmt: skip
    with log.open("wb") as file:
        status = subprocess.run(
            command, cwd=demo.checkout, env=environment, stdout=file, stderr=subprocess.STDOUT, check=False
        ).returncode
    return Ran(status, folder, log.read_text(encoding="utf-8"))
