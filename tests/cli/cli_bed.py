"""The real command in a home of its own, with a small checkout and an environment that only looks like one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import launcher

SOURCE = Path(launcher.__file__).resolve().parent.parent

SCRIPT = """
import argparse

def setup_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pretrained_model_name_or_path", type=str)
    parser.add_argument("--train_data_dir", type=str)
    parser.add_argument("--dataset_config", type=str)
    parser.add_argument("--sample_prompts", type=str)
    parser.add_argument("--output_dir", type=str)
    parser.add_argument("--output_name", type=str)
    parser.add_argument("--logging_dir", type=str)
    parser.add_argument("--wandb_api_key", type=str)
    parser.add_argument("--network_module", type=str)
    parser.add_argument("--network_args", type=str, nargs="*")
    parser.add_argument("--network_dim", type=int)
    parser.add_argument("--learning_rate", type=float)
    parser.add_argument("--max_train_steps", type=int, default=1600)
    parser.add_argument("--comment", type=str)
    return parser
"""
NETWORK = """
def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, **kwargs):
    return kwargs.get("conv_dim", None), kwargs.get("algo", None)
"""
# Says what it was started with, as the first argument's file.
ACCELERATE = """
import argparse

def launch_command_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config_file")
    parser.add_argument("--num_processes", type=int)
    parser.add_argument("--num_machines", type=int)
    parser.add_argument("--mixed_precision")
    parser.add_argument("--dynamo_backend")
    parser.add_argument("--num_cpu_threads_per_process", type=int)
    parser.add_argument("--multi_gpu", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    return parser

if __name__ == "__main__":
    import json, os, sys
    said = {"argv": sys.argv[1:], "cwd": os.getcwd(), "environ": dict(os.environ)}
    with open(os.environ["SAY_IN"], "w") as file:
        json.dump(said, file)
"""
SPEC = """[run]
script = "train_network.py"

[model]
pretrained_model_name_or_path = "owner/model"
train_data_dir = "img"
network_module = "networks.lora"
"""


@dataclass(frozen=True)
class Ended:
    """One command that ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Bed:
    """A home with its checkout and environment, and the folder in which the user stands."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def here(self) -> Path:
        return self.root / "here"

    @property
    def checkout(self) -> Path:
        return self.home / "sd-scripts"

    @property
    def environment(self) -> Path:
        return self.root / "environment"

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        home = str(self.home)
        return {
            "PATH": os.environ["PATH"], "HOME": home, "PYTHONPATH": str(SOURCE), "LC_ALL": "C.UTF-8",
            "VIRTUAL_ENV": str(self.environment), "XDG_CONFIG_HOME": f"{home}/.config",
            "XDG_CACHE_HOME": f"{home}/.cache", "XDG_STATE_HOME": f"{home}/.state",
            "PYTHONDONTWRITEBYTECODE": "1", **(more or {}),
        }  # fmt: skip

    def kl(self, *words: str | bytes, **environ: str) -> Ended:
        """The real command in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "launcher", *words], cwd=self.here, env=self.environ(environ),
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def spec(self, text: str, name: str = "fox.toml") -> Path:
        path = self.here / name
        path.write_text(text, encoding="utf-8")
        return path

    def tree(self) -> dict[str, bytes | str]:
        """Everything on disk but the cache: names, contents, targets of links."""
        found: dict[str, bytes | str] = {}
        for path in sorted(self.root.rglob("*")):
            if ".cache" in path.parts:
                continue
            name = str(path.relative_to(self.root))
            if path.is_symlink():
                found[name] = str(path.readlink())
            else:
                readable = path.is_file() and os.access(path, os.R_OK)
                found[name] = path.read_bytes() if readable else "folder or unreadable"
        return found


def make_bed(root: Path) -> Bed:
    bed = Bed(root)
    (bed.checkout / "library").mkdir(parents=True)
    (bed.checkout / "library" / "train_util.py").touch()
    (bed.checkout / "train_network.py").write_text(SCRIPT)
    (bed.checkout / "networks").mkdir()
    (bed.checkout / "networks" / "lora.py").write_text(NETWORK)
    (bed.home / ".cache").mkdir()
    bed.here.mkdir()
    (bed.here / "img").mkdir()
    python = bed.environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    commands = bed.environment / "lib" / version / "site-packages" / "accelerate" / "commands"
    commands.mkdir(parents=True)
    (commands.parent / "__init__.py").touch()
    (commands / "__init__.py").touch()
    (commands / "launch.py").write_text(ACCELERATE)
    (bed.environment / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\n")
    bed.spec(SPEC)
    return bed
