"""Why a training failed: exceptions and exit codes out of logs as trainers leave them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.run.failure import explain, read_end, trainer_exit_code

BAR = "steps:  {n}%|████      | {n}/100 [00:15<00:15,  7.53s/it, avr_loss=1.21]"
OWN = """Traceback (most recent call last):
  File "/src/sd-scripts/train_network.py", line 1700, in <module>
    trainer.train(args)
  File "/src/sd-scripts/train_network.py", line 1394, in train
    accelerator.backward(loss)
    ~~~~~~~~~~~~~~~~~~~~^^^^^^
{exception}
"""
MASK = """Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "<frozen runpy>", line 88, in _run_code
  File "/env/lib/python3.11/site-packages/accelerate/commands/launch.py", line 1281, in <module>
    main()
  File "/env/lib/python3.11/site-packages/accelerate/commands/launch.py", line 785, in simple_launcher
    raise subprocess.CalledProcessError(returncode=process.returncode, cmd=cmd)
subprocess.CalledProcessError: Command '['/env/bin/python3', 'train_network.py', '--output_name=a b']' {ending}
"""
OOM = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 23.64 GiB\n"
    "of which 1.2 GiB is free.\n\nSee documentation for Memory Management"
)


def log(exception: str, before: str = "", after: str = "", ending: str = "returned non-zero exit status 1.") -> str:
    return before + OWN.format(exception=exception) + after + MASK.format(ending=ending)


@pytest.mark.parametrize("exception", ["ValueError: no", "KeyboardInterrupt", OOM, "library.errors.Odd: a: b: c"])
@pytest.mark.parametrize(
    "before",
    [
        "",
        "loading model\n",
        "\r" + BAR.format(n=1) + "\r" + BAR.format(n=2),  # the traceback starts right on the bar
        "\r" + BAR.format(n=1) + "\r" + BAR.format(n=2) + "\n",
        "half a line",
    ],
)
@pytest.mark.parametrize("after", ["", "\r" + BAR.format(n=2) + "\n", BAR.format(n=2) + "\n"])
def test_the_exception(exception: str, before: str, after: str) -> None:
    failure = explain(1, log(exception, before, after))
    assert failure.exception == exception
    assert failure.reason == "the trainer ended with 1"
    assert not any("accelerate" in line or "CalledProcessError" in line for line in failure.log_tail)
    assert sum(line.startswith("steps:") for line in failure.log_tail) <= 2


def test_of_chained_exceptions_the_last_counts() -> None:
    first = OWN.format(exception="KeyError: 'first'")
    text = (
        first + "\nDuring handling of the above exception, another exception occurred:\n\n" + log("RuntimeError: last")
    )
    assert explain(1, text).exception == "RuntimeError: last"


def test_the_trainers_own_calledprocesserror_is_its_own() -> None:
    own = "subprocess.CalledProcessError: Command '['nvidia-smi']' returned non-zero exit status 9."
    assert explain(1, log(own)).exception == own


def test_a_warning_after_it_is_no_part_of_the_message() -> None:
    after = "/env/lib/resource_tracker.py:254: UserWarning: resource_tracker: There appear to be 1 leaked semaphore\n"
    assert explain(1, log("ValueError: no", after=after)).exception == "ValueError: no"


def test_a_traceback_that_training_went_on_after_is_not_the_reason() -> None:
    caught = OWN.format(exception="ModuleNotFoundError: No module named 'triton'")
    assert explain(1, caught + "".join(f"line {n}\n" for n in range(50))).exception == ""
    bars = "".join("\r" + BAR.format(n=n) + f"\nepoch {n}\n" for n in range(3))
    assert explain(137, caught + bars).exception == ""


def test_several_processes() -> None:
    text = "".join(f"[rank0]: {line}\n" for line in OWN.format(exception="ValueError: no").splitlines())
    text += (
        "E1122 05:00:00.000000 7 torch/distributed/elastic/multiprocessing/api.py:869] failed (exitcode: 1)\n"
        "Traceback (most recent call last):\n"
        '  File "/env/lib/python3.11/site-packages/accelerate/commands/launch.py", line 1189, in launch_command\n'
        "    multi_gpu_launcher(args)\n"
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n"
        "============================================================\n"
        "Root Cause (first observed failure):\n"
        "  rank      : 0 (local_rank: 0)\n"
        "  exitcode  : -9 (pid: 42)\n"
        "============================================================\n"
    )
    assert explain(1, text).exception == "ValueError: no"
    assert trainer_exit_code(1, text) == 137


def test_wrong_arguments() -> None:
    text = "usage: train_network.py [-h]\ntrain_network.py: error: unrecognized arguments: --foo\n"
    text += MASK.format(ending="returned non-zero exit status 2.")
    assert explain(2, text).exception == "train_network.py: error: unrecognized arguments: --foo"
    assert trainer_exit_code(1, text) == 2


@pytest.mark.parametrize(
    ("code", "ending", "expected"),
    [
        (1, "returned non-zero exit status 1.", 1),
        (1, "returned non-zero exit status 7.", 7),
        (1, "died with <Signals.SIGKILL: 9>.", 137),
        (1, "died with unknown signal 70.", 198),
        (3, "returned non-zero exit status 7.", 3),  # not from accelerate: it ends with 1
        (137, "returned non-zero exit status 7.", 137),
    ],
)
def test_the_scripts_own_exit_code(code: int, ending: str, expected: int) -> None:
    assert trainer_exit_code(code, log("ValueError: no", ending=ending)) == expected
    assert trainer_exit_code(code, "no traceback") == code
    own = OWN.format(exception=f"subprocess.CalledProcessError: Command '[]' {ending}")
    assert trainer_exit_code(code, own) == code


def test_the_tail() -> None:
    bars = "".join("\r" + BAR.format(n=n) for n in range(50))
    text = "".join(f"line {n}\n\n" for n in range(30)) + bars + "\nThe end\n"
    tail = explain(0, text).log_tail
    assert len(tail) == 20
    assert tail[-3:] == ("line 29", BAR.format(n=49), "The end")
    assert explain(0, "").log_tail == ()


def test_reasons() -> None:
    assert explain(0, "").reason == "the trainer ended with 0 but left no final model"
    assert explain(137, "").reason == "the trainer was ended by SIGKILL"
    assert explain(255, "").reason == "the trainer ended with 255"


PIECES = [
    "\r",
    "\n",
    " ",
    BAR.format(n=3),
    "Traceback (most recent call last):",
    '  File "accelerate/commands/x"',
    "E: m",
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5))).map("".join))
def test_no_log_is_too_odd(text: str) -> None:
    explain(1, text)
    trainer_exit_code(1, text)


def test_accelerates_own_exception_is_the_exception() -> None:
    own = MASK.format(ending="").split("\nsubprocess.")[0] + "\nConnectionError: port `29500` is taken\n"
    assert explain(1, own).exception == "ConnectionError: port `29500` is taken"
    assert explain(1, log("ValueError: no")).exception == "ValueError: no"  # that the script failed is not


def test_a_log_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sdscripts.log")
    assert read_end(tmp_path / "sdscripts.log") == ""


def test_a_secret_of_the_environment_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdef")
    (tmp_path / "sdscripts.log").write_text("HTTPError: 401 for hf_0123456789abcdef")
    assert read_end(tmp_path / "sdscripts.log") == "HTTPError: 401 for $HF_TOKEN"
