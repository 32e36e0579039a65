"""The flags of `accelerate launch`: complete with kl's own, and never against what the user says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from plan_bed import NEEDED, option, plan_of, script, setting, switch

from launcher.base.origin import Source
from launcher.base.settings import Setting, Value
from launcher.plan.accelerate import NEUTRAL_CONFIG, Accelerate, accelerate_arguments
from launcher.trainer.options import ScriptOptions

# Accelerate's parser has every option with dashes too.
KNOWN = script(
    option("config_file", flags=("--config_file", "--config-file")),
    option("num_processes", type="int", flags=("--num_processes", "--num-processes")),
    option("num_machines", type="int"),
    option("mixed_precision", choices=("no", "fp16", "bf16", "fp8")),
    option("gpu_ids"),
    option("deepspeed_config_file"),
    option("fsdp_offload_params", type="str"),
    option("num_cpu_threads_per_process", type="int"),
    option("dynamo_backend"),
    option("main_process_port", type="int"),
    option("machine_rank", type="int"),
    option("main_process_ip", type="str"),
    option("env", action="AppendAction", type="str"),
    option("training_script", flags=()),
    option("training_script_args", flags=(), nargs="..."),
    switch("multi_gpu"),
    switch("cpu", default=None),
    switch("use_deepspeed"),
    switch("tpu_use_cluster", flags=("--tpu_cluster",)),
    option("tpu_use_cluster", action="StoreConstAction", nargs=0, const=False, flags=("--no_tpu_cluster",)),
)


def _made(
    *pairs: tuple[str, Value],
    known: ScriptOptions | None = KNOWN,
    precision: Value = None,
    extra: Sequence[Setting] = (),
    gpus: int | None = None,
) -> Accelerate:
    settings = [setting(key, value, "accelerate", line=number) for number, (key, value) in enumerate(pairs, 1)]
    return accelerate_arguments(
        [*settings, *extra],
        known,
        config_file="/run/accelerate.yaml",
        trainer_precision=precision,
        cores=8,
        free_port=lambda: 12345,
        gpus=lambda: gpus,
    )


def _words(made: Accelerate) -> set[str]:
    assert not made.findings, made.findings
    return {word for argument in made.arguments for word in argument.words}


def test_without_a_word_of_the_user_the_flags_are_complete() -> None:
    made = _made()
    assert made.neutral and b"distributed_type: 'NO'" in NEUTRAL_CONFIG
    assert _words(made) == {
        "--config_file=/run/accelerate.yaml", "--num_processes=1", "--num_machines=1", "--mixed_precision=no",
        "--dynamo_backend=no", "--num_cpu_threads_per_process=2",
    }  # fmt: skip
    assert {argument.origin.source for argument in made.arguments} == {Source.KL}


def test_the_trainers_precision_is_followed() -> None:
    assert "--mixed_precision=bf16" in _words(_made(precision="bf16"))
    assert "--mixed_precision=fp8" in _words(_made(("mixed_precision", "fp8"), precision="bf16"))


@pytest.mark.parametrize(
    ("pairs", "processes", "multi"),
    [
        ([("num_processes", 2)], 2, True),
        ([("num_processes", "2")], 2, True),
        ([("num-processes", 2)], 2, True),
        ([("num_processes", 1)], 1, False),
        ([("num_processes", 2), ("multi_gpu", True)], 2, True),
        ([("num_processes", 2), ("cpu", False)], 2, True),
        ([("num_processes", 2), ("cpu", True)], 2, False),
        ([("num_processes", 2), ("use_deepspeed", True)], 2, False),
        ([("gpu_ids", "0,1,3")], 3, True),
        ([("gpu_ids", [0, 1])], 2, True),
        ([("gpu_ids", 1)], 1, False),
        ([("gpu_ids", "all")], 1, False),
    ],
)
def test_several_gpus(pairs: list[tuple[str, Value]], processes: int, multi: bool) -> None:
    words = _words(_made(*pairs))
    assert f"--num_processes={processes}" in words and ("--multi_gpu" in words) is multi


@pytest.mark.parametrize(
    ("pairs", "gpus", "processes"),
    [
        ([("multi_gpu", True)], 4, 4),
        ([("gpu_ids", "all")], 4, 4),
        ([("multi_gpu", True), ("gpu_ids", "0,2")], 4, 2),
        ([("multi_gpu", True), ("num_processes", 3)], 4, 3),
        ([("multi_gpu", False)], 4, 1),
        ([], 4, 1),
        ([("gpu_ids", "all"), ("cpu", True)], 4, 1),
        ([("multi_gpu", True)], None, 1),  # not known: accelerate says what it thinks of that
        ([("multi_gpu", True), ("num_machines", 2)], 4, 8),
        ([("gpu_ids", [0, 1]), ("num_machines", 3)], 4, 6),
        ([("num_machines", 2)], 4, 2),
    ],
)
def test_as_many_processes_as_there_are_gpus(pairs: list[tuple[str, Value]], gpus: int | None, processes: int) -> None:
    assert f"--num_processes={processes}" in _words(_made(*pairs, gpus=gpus))


def test_several_machines_meet_at_one_port_that_all_of_them_know() -> None:
    two: list[tuple[str, Value]] = [("num_machines", 2), ("main_process_ip", "10.0.0.1"), ("machine_rank", 1)]
    words = _words(_made(*two))
    assert {"--multi_gpu", "--num_processes=2", "--main_process_port=29500", "--machine_rank=1"} <= words
    assert "--main_process_port=4000" in _words(_made(*two, ("main_process_port", 4000)))
    assert not any("port" in word for word in _words(_made(*two, ("use_deepspeed", True))))


def test_what_may_be_given_several_times() -> None:
    assert {"--env=A=1", "--env=B=2"} <= _words(_made(("env", ["A=1", "B=2"])))
    assert "--env=A=1" in _words(_made(("env", "A=1")))


def test_a_list_is_what_accelerate_splits() -> None:
    assert "--gpu_ids=0,1" in _words(_made(("gpu_ids", [0, 1])))
    assert "--gpu_ids=1" in _words(_made(("gpu_ids", 1)))


def test_on_a_cpu_all_cores_are_used() -> None:
    assert {"--cpu", "--num_cpu_threads_per_process=8"} <= _words(_made(("cpu", True)))
    assert "--num_cpu_threads_per_process=4" in _words(_made(("cpu", True), ("num_processes", 2)))


def test_a_switch_that_is_off_leaves_no_word() -> None:
    assert "--cpu" not in _words(_made(("cpu", False)))


def test_switches_that_share_a_value() -> None:
    assert "--no_tpu_cluster" in _words(_made(("no_tpu_cluster", True)))
    assert "--tpu_cluster" in _words(_made(("tpu_use_cluster", True)))


def test_a_configuration_of_the_users_own_is_not_talked_over() -> None:
    made = _made(("config_file", "my.yaml"), ("main_process_port", 1234))
    assert not made.neutral
    assert _words(made) == {"--config_file=/specs/my.yaml", "--main_process_port=1234"}


def test_paths_are_whole() -> None:
    assert f"--deepspeed_config_file={Path.home()}/ds.json" in _words(_made(("deepspeed_config_file", "~/ds.json")))


def test_true_and_false_where_accelerate_takes_words() -> None:
    assert "--fsdp_offload_params=false" in _words(_made(("fsdp_offload_params", False)))


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([("num_proceses", 2)], "unknown-key"),
        ([("training_script", "x.py")], "unknown-key"),
        ([("training_script_args", ["x"])], "unknown-key"),
        ([("num_processes", "two")], "wrong-type"),
        ([("num_processes", None)], "wrong-type"),
        ([("mixed_precision", "half")], "not-a-choice"),
        ([("cpu", "yes")], "wrong-type"),
        ([("gpu_ids", [])], "wrong-count"),
        ([("gpu_ids", [[0]])], "wrong-count"),
        ([("config_file", "$NOT_SET_AT_ALL/x")], "path"),
        ([("num_processes", 2), ("num-processes", 3)], "same-key-twice"),
    ],
)
def test_refused(pairs: list[tuple[str, Value]], code: str) -> None:
    made = _made(*pairs)
    assert [finding.code for finding in made.findings] == [code]
    assert made.findings[0].where == f"fox.toml:{len(pairs)}"


def test_a_table_inside_is_refused_and_replaces_nothing() -> None:
    inner = setting("num_processes", 2, "accelerate", "inner", line=9)
    made = _made(("num_processes", 4), extra=[inner])
    assert [finding.code for finding in made.findings] == ["unknown-key"]
    assert any(argument.words == ("--num_processes=4",) for argument in made.arguments)


def test_the_nearest_option() -> None:
    assert _made(("num_proceses", 2)).findings[0].hint == "Did you mean num_processes?"


def test_an_accelerate_that_could_not_be_read_gets_the_keys_as_they_are() -> None:
    made = _made(("new_flag", True), ("other", "x"), ("off", False), known=None)
    assert {"--new_flag", "--other=x"} <= _words(made) and not any("off" in word for word in _words(made))


def test_several_processes_of_one_machine_meet_on_a_port_of_their_own(tmp_path: Path) -> None:
    two = plan_of(tmp_path, NEEDED + "[accelerate]\nnum_processes = 2")
    assert "--main_process_port=12345" in two.argv
    one = plan_of(tmp_path, NEEDED + "[accelerate]\nnum_processes = 1")
    chosen = plan_of(tmp_path, NEEDED + "[accelerate]\nnum_processes = 2\nmain_process_port = 29600")
    text = '[accelerate]\nnum_processes = 8\nnum_machines = 2\nmain_process_ip = "10.0.0.1"'
    machines = plan_of(tmp_path, NEEDED + text)
    for plan in (one, chosen, machines):
        assert not any("12345" in word for word in plan.argv)
