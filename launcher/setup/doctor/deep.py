"""torch tried out in the training interpreter: one product of matrices on its device."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from launcher.setup.doctor.diagnosis import Diagnosis, fine, unknown, wrong
from launcher.setup.doctor.mends import Mender
from launcher.setup.doctor.seen_environment import SeenEnvironment
from launcher.setup.doctor.torch_itself import runs_on

DEEP = "device"
PATIENCE = 180.0  # seconds: torch alone takes 20 from a cold disk
_MARK = "kl-doctor: "
_BESIDE = ("torchvision", "xformers", "bitsandbytes", "accelerate", "lycoris", "cv2")
_PACKAGES = {"lycoris": "lycoris-lora", "cv2": "opencv-python"}  # where they are named otherwise
# Runs in the training environment, so it is a text here: kl itself loads none of this.
_PROGRAM = f"""
import importlib, json
said = {{}}
try:
    import torch
    said["torch"] = torch.__version__
    cuda = torch.cuda.is_available()
    mps = getattr(torch.backends, "mps", None)
    device = "cuda" if cuda else "mps" if mps is not None and mps.is_available() else "cpu"
    said["device"] = device
    if cuda:
        said["name"] = torch.cuda.get_device_name(0)
        said["capability"] = list(torch.cuda.get_device_capability(0))
        said["architectures"] = torch.cuda.get_arch_list()
    elif torch.version.cuda:
        try:
            torch.cuda.init()
        except Exception as error:
            said["no_cuda"] = str(error)
    ones = torch.ones(64, 64, device=device)
    said["product"] = float((ones @ ones)[0, 0].cpu())
    said["numpy"] = int(torch.ones(1).numpy().size)
except Exception as error:
    said["error"] = type(error).__name__ + ": " + str(error)
said["beside"] = {{}}
for name in {_BESIDE!r}:
    try:
        importlib.import_module(name)
        if name == "xformers":
            failed = getattr(importlib.import_module("xformers._cpp_lib"), "_cpp_library_load_exception", None)
            if failed is not None:
                said["beside"][name] = str(failed)
    except ModuleNotFoundError as error:
        if error.name != name:
            said["beside"][name] = str(error)
    except Exception as error:
        said["beside"][name] = type(error).__name__ + ": " + str(error)
print("\\n{_MARK}" + json.dumps(said))
"""


def try_torch(python: Path, environ: Mapping[str, str], patience: float = PATIENCE) -> dict[str, Any]:
    """What came of it: "error" says why nothing did. Ends all that it started."""
    try:
        process = subprocess.Popen(
            [str(python), "-c", _PROGRAM],
            cwd="/",  # a folder with a file torch.py would be imported from
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return {"error": f"{python} cannot be run: {error.strerror}"}
    try:
        said, complaint = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        return {"slow": f"it did not end within {patience:g} seconds"}
    finally:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    marked = [line for line in said.splitlines() if line.startswith(_MARK)]
    if not marked:
        ended = f"signal {-process.returncode}" if process.returncode < 0 else str(process.returncode)
        return {"error": f"Python ended with {ended}: {' '.join(complaint.split())[-300:]}"}
    found = json.loads(marked[-1].removeprefix(_MARK))
    return found if isinstance(found, dict) else {}


def judge_deep(said: Mapping[str, Any], seen: SeenEnvironment, mender: Mender) -> Iterator[Diagnosis]:
    """What the trial means."""
    if said.get("slow"):
        yield unknown(DEEP, f"{said['slow']}.")
        return
    capability = said.get("capability")
    version = seen.packages.get("torch", "").partition("+")[0] or None
    if capability and said.get("architectures") and not runs_on(said["architectures"], (capability[0], capability[1])):
        message = f"torch {said['torch']} has no code for {said['name']}, only for {', '.join(said['architectures'])}."
        yield wrong(DEEP, message, mender.torch())
    elif said.get("error"):
        yield wrong(DEEP, f"{_short(said['error'])}.", mender.torch(version, reinstall=True))
    elif said.get("product") != 64.0:
        yield wrong(DEEP, f"64 ones times 64 ones is {said.get('product')}: the device does not compute right.")
    elif said.get("device") == "cpu" and mender.gpus.here.gpus and said.get("no_cuda"):
        yield wrong(DEEP, f"torch does not reach the GPU: {_short(said['no_cuda'])}.", mender.torch(version))
    else:
        on = said.get("name") or {"cpu": "the processor"}.get(said["device"], said["device"])
        yield fine(DEEP, f"torch {said['torch']} computes on {on}.")
    for name, error in (said.get("beside") or {}).items():
        package = _PACKAGES.get(name, name)
        have = f"{package}=={seen.packages[package]}" if package in seen.packages else package
        again = mender.install("--force-reinstall", "--no-deps", have)
        if name in ("torchvision", "xformers"):
            again = mender.beside_torch(package)
        yield wrong(name, f"it cannot be imported: {_short(error)}.", again)


def _short(text: str) -> str:
    return " ".join(str(text).split())[:300].rstrip(".")
