"""Processes: the data loader's, accelerate's, DeepSpeed's. Each rule speaks, keeps quiet, needs its source."""

from __future__ import annotations

from pathlib import Path

import pytest
from loop_bed import SOURCES, E, W, run_of, said_by, table_tests, without_packages

from launcher.plan.checks.rules.processes import RULES

_DEEPSPEED = "deepspeed = true\n"

SPEAKS = [
    ("persistent-workers", "persistent_data_loader_workers = true\nmax_data_loader_n_workers = 0", E, "needs workers"),
    ("data-loader-workers", "max_data_loader_n_workers = -1", E, "is below 0"),
    ("accelerate-precision", '[accelerate]\nmixed_precision = "bf16"', W, "the trainer's is 'no'"),
    ("accelerate-precision", 'mixed_precision = "fp16"\n[accelerate]\nmixed_precision = "bf16"', W, "no effect"),
    ("accelerate-dynamo", '[accelerate]\ndynamo_backend = "inductor"', W, "the trainer sets 'no'"),
    ("accelerate-dynamo", 'torch_compile = true\n[accelerate]\ndynamo_backend = "eager"', W, "sets 'inductor'"),
    ("dynamo-backend", 'dynamo_backend = "eager"', W, "without torch_compile"),
    ("one-process", "ddp_timeout = 30", W, "ddp_timeout has no effect"),
    ("one-process", "ddp_static_graph = true\n[accelerate]\nnum_processes = 1", W, "ddp_static_graph has no effect"),
    ("deepspeed-missing", _DEEPSPEED, E, "does not have it"),
    ("deepspeed-launch", _DEEPSPEED, E, "not told to start processes"),
    ("deepspeed-options", "zero_stage = 3", W, "zero_stage has no effect"),
    ("deepspeed-options", 'offload_optimizer_device = "cpu"', W, "offload_optimizer_device has no effect"),
    ("deepspeed-stage", _DEEPSPEED + 'offload_param_device = "cpu"', W, "with zero_stage = 2"),
    ("cpu-offload-alone", "cpu_offload_checkpointing = true", W, "without gradient_checkpointing"),
    ("cpu-offload-model", "cpu_offload_checkpointing = true\ngradient_checkpointing = true", E, "train_network.py"),
]
QUIET = [
    ("persistent-workers", "persistent_data_loader_workers = true"),
    ("persistent-workers", "max_data_loader_n_workers = 0"),
    ("persistent-workers", _DEEPSPEED + "persistent_data_loader_workers = true\nmax_data_loader_n_workers = 0"),
    ("data-loader-workers", "max_data_loader_n_workers = 0"),
    ("accelerate-precision", 'mixed_precision = "bf16"\n[accelerate]\nmixed_precision = "bf16"'),
    ("accelerate-precision", 'mixed_precision = "bf16"'),
    ("accelerate-dynamo", 'torch_compile = true\n[accelerate]\ndynamo_backend = "INDUCTOR"'),
    ("accelerate-dynamo", '[accelerate]\ndynamo_backend = "no"'),
    ("dynamo-backend", 'dynamo_backend = "eager"\ntorch_compile = true'),
    ("one-process", "ddp_timeout = 30\n[accelerate]\nnum_processes = 2"),
    ("one-process", "ddp_timeout = 30\n[accelerate]\ngpu_ids = [0, 1]"),
    ("one-process", 'ddp_timeout = 30\n[accelerate]\nconfig_file = "mine.yaml"'),
    ("one-process", "ddp_static_graph = false"),
    ("deepspeed-missing", ""),
    ("deepspeed-launch", _DEEPSPEED + "[accelerate]\nuse_deepspeed = true"),
    ("deepspeed-launch", _DEEPSPEED + "[accelerate]\nnum_processes = 2"),
    ("deepspeed-launch", _DEEPSPEED + '[accelerate]\nconfig_file = "mine.yaml"'),
    ("deepspeed-options", _DEEPSPEED + "zero_stage = 3"),
    ("deepspeed-options", "zero3_init_flag = false"),
    ("deepspeed-stage", _DEEPSPEED + 'zero_stage = 3\noffload_param_device = "cpu"'),
    ("deepspeed-stage", _DEEPSPEED + 'offload_optimizer_device = "cpu"'),
    ("cpu-offload-alone", "cpu_offload_checkpointing = true\ngradient_checkpointing = true"),
    ("cpu-offload-model", "gradient_checkpointing = true"),
    ("cpu-offload-model", "cpu_offload_checkpointing = true"),
]
_SWAP = "blocks_to_swap = {blocks}\ncpu_offload_checkpointing = {offload}"

test_speaks, test_keeps_quiet, test_is_silent_elsewhere, test_every_rule_is_here = table_tests(
    RULES, SPEAKS, QUIET, elsewhere=["swap-and-offload"]
)


@pytest.mark.parametrize("key", ["mixed_precision", "dynamo_backend"])
def test_what_accelerate_does_not_take_is_pointed_at(tmp_path: Path, key: str) -> None:
    text = f'mixed_precision = "fp16"\ntorch_compile = true\n[accelerate]\n{key} = "no"'
    finding = said_by(RULES, run_of(tmp_path, text), "accelerate-precision" if "_p" in key else "accelerate-dynamo")
    assert finding is not None and str(finding.where).endswith("fox.toml:7")


def test_deepspeed_is_there_or_nothing_is_known(tmp_path: Path) -> None:
    run = run_of(tmp_path, _DEEPSPEED, packages={"deepspeed/__init__.py": ""})
    assert said_by(RULES, run, "deepspeed-missing") is None
    assert said_by(RULES, without_packages(run_of(tmp_path, _DEEPSPEED)), "deepspeed-missing") is None


def test_somebody_else_may_say_how_many_processes_there_are(tmp_path: Path) -> None:
    run = run_of(tmp_path, _DEEPSPEED + "ddp_timeout = 3", environ={"WORLD_SIZE": "2"})
    assert said_by(RULES, run, "deepspeed-launch") is None
    assert said_by(RULES, run, "one-process") is None


def test_a_model_that_can_offload(tmp_path: Path) -> None:
    text = "cpu_offload_checkpointing = true\ngradient_checkpointing = true"
    for signature in ("self, cpu_offload=False", "self, **how"):
        method = f"class Model:\n    def enable_gradient_checkpointing({signature}):\n        pass\n"
        sources = {**SOURCES, "library/original_unet.py": method}
        assert said_by(RULES, run_of(tmp_path, text, sources=sources), "cpu-offload-model") is None
    other = {**SOURCES, "flux_train_network.py": "import train_network\n"}
    run = run_of(tmp_path, text, sources=other, script_file="flux_train_network.py")
    assert said_by(RULES, run, "cpu-offload-model") is None


def test_a_script_that_turns_checkpointing_on_itself(tmp_path: Path) -> None:
    script = "import train_network\nargs.gradient_checkpointing = True\n"
    run = run_of(
        tmp_path,
        "cpu_offload_checkpointing = true",
        sources={**SOURCES, "own.py": script},
        script_file="own.py",
    )
    assert said_by(RULES, run, "cpu-offload-alone") is None


@pytest.mark.parametrize(("blocks", "offload", "speaks"), [(3, "true", True), (0, "true", False), (3, "false", False)])
def test_one_way_to_move_the_model_away(tmp_path: Path, blocks: int, offload: str, speaks: bool) -> None:
    script = (
        "import train_network\nclass Flux:\n    def assert_extra_args(self, args):\n        assert (\n"
        "            args.blocks_to_swap is None or args.blocks_to_swap == 0\n"
        "        ) or not args.cpu_offload_checkpointing\n"
    )
    text = _SWAP.format(blocks=blocks, offload=offload)
    run = run_of(tmp_path, text, sources={**SOURCES, "flux.py": script}, script_file="flux.py")
    assert (said_by(RULES, run, "swap-and-offload") is not None) is speaks
    assert said_by(RULES, run_of(tmp_path, text), "swap-and-offload") is None
