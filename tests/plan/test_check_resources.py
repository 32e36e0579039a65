from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from candidate_bed import candidate_of
from model_shapes import MODELS, write_model
from plan_bed import option, switch

from launcher.base.ports import free_port
from launcher.plan.checks import resources
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.resources import Room, check_resources, room
from launcher.plan.save_size import sizes

OPTIONS = (
    option("pretrained_model_name_or_path"), option("network_module", type="str"), option("network_dim", type="int"),
    option("network_args", type="str", nargs="*"), option("save_every_n_steps", type="int"),
    option("save_last_n_steps", type="int"), option("save_last_n_steps_state", type="int"),
    option("save_every_n_epochs", type="int"),
    option("save_last_n_epochs", type="int"), option("max_train_epochs", type="int"),
    option("max_train_steps", type="int"), option("optimizer_type", type="str", default=""),
    switch("save_state"), switch("save_state_on_train_end"),
)  # fmt: skip


_LAUNCH = """
def _validate_launch_command(args):
    if sum([args.multi_gpu, args.cpu]) > 1:
        raise ValueError("You can only use one of `--cpu`, `--multi_gpu` at a time.")
    if args.multi_gpu and args.num_processes < 2:
        raise ValueError("You need to use at least 2 processes to use `--multi_gpu`.")
"""


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with 1 GB free and the GPUs that stand in a folder: none at first."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(0, 0, 1_000_000_000))
    monkeypatch.setattr(resources, "LISTED", tmp_path / "gpus")
    return tmp_path / "gpus"


def _run(folder: Path, text: str = "", environ: Mapping[str, str] | None = None) -> Candidate:
    model = write_model(folder / "base.safetensors", MODELS["sd1"])
    whole = f'pretrained_model_name_or_path = "{model}"\nnetwork_module = "networks.lora"\n{text}'
    return candidate_of(folder, whole, *OPTIONS, environ=environ)


def _room(candidate: Candidate, steps: int | None) -> Room | None:
    return room(candidate, steps, *sizes(candidate))


def _codes(candidate: Candidate, steps: int | None = 1000) -> list[str]:
    return [finding.code for finding in check_resources(candidate, _room(candidate, steps))]


def test_room_for_everything_that_stays(tmp_path: Path) -> None:
    # Rank 16 has 38 MB: 20 saves on the way, the last one, and one before an old one would go.
    assert _codes(_run(tmp_path, "network_dim = 16\n")) == []
    many = "network_dim = 16\nsave_every_n_steps = 50\n"
    assert _codes(_run(tmp_path, many)) == ["disk-tight"]
    assert _codes(_run(tmp_path, many), 2000) == ["disk-full"]
    assert _codes(_run(tmp_path, many), 500) == ["keep-fewer-saves"]
    assert _codes(_run(tmp_path, many + "save_last_n_steps = 100\n"), 100_000) == []
    assert _codes(_run(tmp_path, many + "[run]\nkeep_last_saves = 9\n"), 500) == []


def test_states_count(tmp_path: Path) -> None:
    saves = "network_dim = 16\nsave_every_n_steps = 100\nsave_last_n_steps = 300\n"
    without = _room(_run(tmp_path, saves), 1000)
    with_states = _room(_run(tmp_path, saves + "save_state = true\n"), 1000)
    assert without is not None
    assert with_states is not None
    assert (without.saves, with_states.saves) == (4, 4)
    assert with_states.needed == pytest.approx(4 * without.needed, rel=0.05)
    one = _room(_run(tmp_path, saves + "save_state = true\nsave_last_n_steps_state = 0\n"), 1000)
    last = _room(_run(tmp_path, saves + "save_state_on_train_end = true\n"), 1000)
    assert one is not None
    assert last is not None
    assert without.needed < last.needed < one.needed < with_states.needed


def test_epochs(tmp_path: Path) -> None:
    text = "network_dim = 16\nmax_train_epochs = 10\nsave_every_n_epochs = 2\n"
    found, window = _room(_run(tmp_path, text), None), _room(_run(tmp_path, text + "save_last_n_epochs = 1\n"), None)
    assert found is not None
    assert window is not None
    assert (found.saves, window.saves) == (4, 1)


def test_nothing_is_said_of_a_disk_or_size_that_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _run(tmp_path, "network_dim = 16\nsave_every_n_steps = 1\n")
    other = _run(tmp_path, 'save_every_n_steps = 1\n[network_args]\nmine = "1"\n')
    assert _codes(other, 100_000) == []

    def refused(_: Path) -> _Usage:
        raise PermissionError

    monkeypatch.setattr(shutil, "disk_usage", refused)
    assert _codes(run, 100_000) == []


def test_more_processes_than_gpus(tmp_path: Path, machine: Path) -> None:
    two = "[accelerate]\nnum_processes = 2\n"
    assert _codes(_run(tmp_path, two)) == []  # no driver: nothing is known
    (machine / "0000:01:00.0").mkdir(parents=True)
    (found,) = check_resources(_run(tmp_path, two), None)
    assert (found.severity.value, found.code, found.where) == ("error", "too-few-gpus", f"{tmp_path}/fox.toml:4")
    assert found.hint == "Set num_processes = 1."
    (machine / "0000:02:00.0").mkdir()
    assert _codes(_run(tmp_path, two)) == []
    assert _codes(_run(tmp_path, two, {"CUDA_VISIBLE_DEVICES": "1"})) == ["too-few-gpus"]
    assert _codes(_run(tmp_path, two, {"CUDA_VISIBLE_DEVICES": "0,1"})) == []
    assert _codes(_run(tmp_path, two + "cpu = true\n", {"CUDA_VISIBLE_DEVICES": ""})) == []
    assert _codes(_run(tmp_path, "", {"CUDA_VISIBLE_DEVICES": ""})) == []
    assert _codes(_run(tmp_path, '[accelerate]\ngpu_ids = "0,2"\n')) == ["too-few-gpus"]
    assert _codes(_run(tmp_path, "[accelerate]\ngpu_ids = [0, 1]\n")) == []
    assert _codes(_run(tmp_path, '[accelerate]\ngpu_ids = "0"\nnum_processes = 2\n')) == ["too-few-gpus"]


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        text = f"[accelerate]\nmain_process_port = {port}\n"
        assert _codes(_run(tmp_path, text + "num_processes = 2\n")) == ["port-taken"]
        assert _codes(_run(tmp_path, text)) == []  # one process needs none
        assert _codes(_run(tmp_path, text + "num_processes = 2\nnum_machines = 2\nmachine_rank = 1\n")) == []
    assert _codes(_run(tmp_path, f"[accelerate]\nnum_processes = 2\nmain_process_port = {free_port()}\n")) == []


def test_a_port_that_is_none(tmp_path: Path) -> None:
    text = "[accelerate]\nnum_processes = 2\nmain_process_port = {}\n"
    assert _codes(_run(tmp_path, text.format(70000))) == ["port-out-of-range"]


@pytest.mark.parametrize(
    ("accelerate", "expected"),
    [
        ("multi_gpu = true\nnum_processes = 1\n", ["accelerate-refuses"]),
        ("multi_gpu = true\ncpu = true\nnum_processes = 2\n", ["accelerate-refuses"]),
        ("multi_gpu = true\nnum_processes = 2\n", []),
        ("cpu = true\nnum_processes = 1\n", []),
    ],
)
def test_what_accelerate_refuses(tmp_path: Path, accelerate: str, expected: list[str]) -> None:
    package = {
        "accelerate/commands/launch.py": _LAUNCH,
        "accelerate/__init__.py": "",
        "accelerate/commands/__init__.py": "",
    }
    text = f'network_module = "networks.lora"\n[accelerate]\n{accelerate}'
    assert _codes(candidate_of(tmp_path, text, *OPTIONS, packages=package)) == expected
    other = tmp_path / "other"
    other.mkdir()
    assert _codes(candidate_of(other, text, *OPTIONS)) == []  # an accelerate that does not say so


_SEVERAL = """
def prepare_multi_gpu_env(args):
    if args.num_machines > 1:
        args.rdzv_endpoint = f"{main_process_ip}:{main_process_port}"
"""


@pytest.mark.parametrize(
    ("accelerate", "expected"),
    [
        ("num_machines = 2\n", ["no-main-process-ip"]),
        ("num_machines = 2\nuse_fsdp = true\n", ["no-main-process-ip"]),
        ('num_machines = 2\nmain_process_ip = "10.0.0.1"\n', []),
        ('num_machines = 2\nuse_deepspeed = true\ndeepspeed_hostfile = "hosts"\n', []),
        ('num_machines = 2\nconfig_file = "my.yaml"\n', []),
        ("num_machines = 1\nnum_processes = 2\n", []),
    ],
)
def test_where_several_machines_meet(tmp_path: Path, accelerate: str, expected: list[str]) -> None:
    package = {"accelerate/utils/launch.py": _SEVERAL, "accelerate/__init__.py": "", "accelerate/utils/__init__.py": ""}
    text = f'network_module = "networks.lora"\n[accelerate]\n{accelerate}'
    assert _codes(candidate_of(tmp_path, text, *OPTIONS, packages=package)) == expected
    other = tmp_path / "other"
    other.mkdir()
    assert _codes(candidate_of(other, text, *OPTIONS)) == []  # an accelerate that has them meet in another way


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))
        server.listen()
        assert server.getsockname()[1] > 1023
