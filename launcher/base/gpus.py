"""How many GPUs a process on this machine sees, without asking the driver."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

LISTED = Path("/proc/driver/nvidia/gpus")


def listed_gpus(listed: Path = LISTED) -> int | None:
    """The GPUs of the machine, as NVIDIA's driver lists them; None where it lists none, as in WSL."""
    try:
        return len(list(listed.iterdir())) or None
    except OSError:
        return None


def visible_gpus(environ: Mapping[str, str], gpus: int | None) -> int | None:
    """How many of the machine's `gpus` a process with these variables sees at most; None where that is not known."""
    said = environ.get("CUDA_VISIBLE_DEVICES")
    if said is None:
        return gpus
    names = [name for name in said.split(",") if name.strip() not in ("", "-1")]
    return len(names) if gpus is None else min(len(names), gpus)
