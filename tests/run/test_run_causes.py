"""Known causes: found in real texts, told with what the options leave to do, and not found where they only seem so."""

from __future__ import annotations

import io
import re
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts_of_failures import KNOWN, NO_OPERATOR, OOM, XFORMERS_WARNING, log_of, real_texts

from launcher.cli.render import show_failure
from launcher.record.manifest import Manifest, OptionRecord
from launcher.run.cause import Cause, Ending, KnownCause
from launcher.run.causes import CAUSES, find_cause, loss_is_nan
from launcher.run.failure import explain, free_bytes, recorded_options, trainer_exit_code
from launcher.run.outcome import Outcome
from launcher.run.result import RunResult

BAR = "\rsteps:  {n}%|████      | {n}/100 [00:15<00:15,  7.53s/it, avr_loss={loss}]"
OUT_OF_MEMORY = f"torch.OutOfMemoryError: {OOM}"


def cause_of(log: str, code: int = 1, **options: object) -> KnownCause | None:
    return explain(trainer_exit_code(code, log), log, options).cause


def steps_of(log: str, code: int = 1, **options: object) -> str:
    known = cause_of(log, code, **options)
    assert known is not None
    return "\n".join(known.steps)


REAL = list(real_texts())


@pytest.mark.parametrize(("name", "log"), REAL, ids=[f"{name}-{n}" for n, (name, _) in enumerate(REAL)])
def test_real_failures(name: str, log: str) -> None:
    code = 0 if name == "no-data" else 1
    known = cause_of(log, code)
    assert known is not None
    assert known.name == name


@pytest.mark.parametrize(
    ("name", "exception", "function"), KNOWN, ids=[f"{name}-{n}" for n, (name, _, _) in enumerate(KNOWN)]
)
def test_known_texts(name: str, exception: str, function: str) -> None:
    for before in ("", "loading model\n", BAR.format(n=1, loss=0.1) + BAR.format(n=2, loss=0.1)):
        known = cause_of(log_of(exception, function, before=before))
        assert known is not None
        assert known.name == name


def test_every_cause_has_a_text() -> None:
    by_signal = {cause.name for cause in CAUSES if cause.signals and not cause.exceptions}
    assert {cause.name for cause in CAUSES} == {name for name, _ in REAL} | {name for name, _, _ in KNOWN} | by_signal
    assert len({cause.name for cause in CAUSES}) == len(CAUSES)


@pytest.mark.parametrize("exception", [exception for _, exception, _ in KNOWN])
def test_words_of_a_caption_are_no_cause(exception: str) -> None:
    """Every text, printed by the trainer as a prompt, a caption or a file's name, and inside another exception."""
    lines = exception.splitlines()
    printed = "".join(f"prompt: {line}\n{line} / {line}\n" for line in lines[:3])
    assert cause_of(printed) is None
    assert cause_of(printed + log_of("ValueError: something else")) is None
    assert cause_of(log_of(f"ValueError: cannot use the caption {lines[0]!r}")) is None
    went_on = log_of(exception) + "".join(f"line {n}\n" for n in range(50))
    assert cause_of(went_on.replace("accelerate", "other")) is None


def test_a_log_without_words_of_failure_has_no_cause() -> None:
    assert cause_of("") is None
    assert cause_of("No data found. Please verify arguments\n") is None  # it did not end with 0
    assert cause_of("all is well\n", 0) is None
    assert cause_of(log_of("ValueError: unknown")) is None
    assert cause_of(log_of("my.OutOfMemoryErrorLike: no")) is None


@pytest.mark.parametrize(
    ("ending", "name"),
    [
        ("died with <Signals.SIGKILL: 9>.", "killed"),
        ("died with <Signals.SIGTERM: 15>.", "ended-from-outside"),
        ("died with <Signals.SIGHUP: 1>.", "ended-from-outside"),
        ("died with <Signals.SIGSEGV: 11>.", "crashed"),
        ("died with <Signals.SIGBUS: 7>.", "shared-memory"),
        ("died with <Signals.SIGABRT: 6>.", "crashed"),
    ],
)
def test_signals(ending: str, name: str) -> None:
    log = "loading\n" + log_of("", ending=ending).split("in train\n\n")[1]
    known = cause_of(log)
    assert known is not None
    assert known.name == name


def test_a_caught_exception_is_not_the_cause_of_a_signal() -> None:
    known = cause_of(log_of("ModuleNotFoundError: No module named 'triton'", ending="died with <Signals.SIGKILL: 9>."))
    assert known is not None
    assert known.name == "killed"


def test_what_cpp_prints_before_it_aborts() -> None:
    text = "terminate called after throwing an instance of 'c10::Error'\n  what():  CUDA error: {}\nException raised\n"
    for message, name in (("an illegal memory access was encountered", "gpu-fault"), ("out of memory", "gpu-memory")):
        known = cause_of(text.format(message), 134)
        assert known is not None
        assert known.name == name
    watchdog = "  what():  [PG 0 Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=24)\n"
    known = cause_of(watchdog, 134)
    assert known is not None
    assert known.name == "processes-waited-too-long"


def test_memory_of_the_gpu_in_the_order_of_what_helps() -> None:
    log = log_of(OUT_OF_MEMORY)
    steps = steps_of(log, train_batch_size=4, resolution="1024,1024", sdpa=True)
    places = [steps.index(word) for word in ("train_batch_size, which is 4", "cache_latents", "gradient_check", "1024")]
    assert places == sorted(places)
    assert "batch_size in the dataset config" in steps_of(log, dataset_config="/out/fox/config.toml")
    assert "batch size" in steps_of(log)  # of a run whose options are not known


def test_memory_of_the_gpu_without_what_is_set_already() -> None:
    log = log_of(OUT_OF_MEMORY)
    steps = steps_of(
        log, train_batch_size=1, cache_latents=True, gradient_checkpointing=True, sdpa=True, mixed_precision="bf16"
    )
    for word in ("batch", "cache_latents", "gradient", "sdpa", "mixed_precision"):
        assert word not in steps
    assert "cache_latents" not in steps_of(log, cache_latents_to_disk=True)
    assert "cache_latents" not in steps_of(log, random_crop=True)
    assert "bf16" in steps_of(log, mixed_precision="no")
    assert "xformers" in steps_of(log, cache_latents=True)


def test_steps_follow_the_options() -> None:
    known = KNOWN
    by_name = {name: log_of(exception, function) for name, exception, function in known}
    assert "vae_batch_size, which is 8" in steps_of(by_name["gpu-memory-caching"], vae_batch_size=8)
    assert "vae_batch_size" not in steps_of(by_name["gpu-memory-caching"], vae_batch_size=1)
    assert "torch_compile" in steps_of(by_name["triton"], torch_compile=True)
    assert "torch_compile" not in steps_of(by_name["triton"])
    assert "Windows" in steps_of(by_name["triton"])
    assert "no_half_vae" in steps_of(by_name["latents-nan"])
    assert "no_half_vae" not in steps_of(by_name["latents-nan"], no_half_vae=True)
    assert "which is 8" in steps_of(by_name["machine-memory"], max_data_loader_n_workers=8)
    assert "n_workers" not in steps_of(by_name["machine-memory"], max_data_loader_n_workers=0)
    assert "v2" in steps_of(by_name["wrong-base-model"], v2=True)


def test_the_loss() -> None:
    bars = "".join(BAR.format(n=n, loss=loss) for n, loss in ((1, 0.1), (2, "nan")))
    known = cause_of(bars + "\n")
    assert known is not None
    assert known == loss_is_nan({})
    assert cause_of(BAR.format(n=1, loss="nan") + BAR.format(n=2, loss=0.1) + "\n") is None
    assert cause_of(bars + "\n" + log_of("ValueError: something else")) is None  # the exception counts
    steps = loss_is_nan({"learning_rate": 0.5, "mixed_precision": "fp16", "max_grad_norm": 0.0}).steps
    assert any("0.5" in step for step in steps)
    assert any("bf16" in step for step in steps)
    assert any("max_grad_norm" in step for step in steps)
    assert not any("max_grad_norm" in step or "bf16" in step for step in loss_is_nan({"learning_rate": 1}).steps)


def test_xformers_says_early_what_is_wrong() -> None:
    before = XFORMERS_WARNING + "".join(f"line {n}\n" for n in range(500))
    known = cause_of(log_of(NO_OPERATOR, before=before))
    assert known is not None
    assert known.name == "xformers-build"
    assert cause_of(log_of("ValueError: something else", before=before)) is None


def test_a_full_disk_also_cuts_off_the_log() -> None:
    cut = log_of("SafetensorError: no").split("SafetensorError")[0]
    known = explain(1, cut, {"save_state": True}, disk_free=0).cause
    assert known is not None
    assert known.name == "disk-full"
    assert any("save_state" in step for step in known.steps)
    assert explain(1, cut, {}, disk_free=1 << 30).cause is None
    assert explain(1, cut, {}).cause is None
    other = explain(1, log_of(OUT_OF_MEMORY), {}, disk_free=0).cause
    assert other is not None
    assert other.name == "gpu-memory"  # what is known by its own text counts first


def test_the_cause_is_shown_last() -> None:
    stream = io.StringIO()
    failure = explain(1, log_of(OUT_OF_MEMORY), {"train_batch_size": 4})
    result = RunResult("fox", None, Outcome.FAILED, 1, None, None, (), 1.0, failure)
    show_failure(result, stream)
    text = stream.getvalue()
    assert text.index("the trainer ended with 1") < text.index(
        "The memory of the GPU was full.\n  1. Lower train_batch"
    )
    show_failure(replace(result, failure=replace(failure, cause=None)), stream := io.StringIO())
    assert text.startswith(stream.getvalue())
    assert "memory of the GPU was" not in stream.getvalue()


def test_room_on_the_disk(tmp_path: Path) -> None:
    free = free_bytes(tmp_path)
    assert free is not None
    assert free > 0
    assert free_bytes(tmp_path / "none") is None


def test_recorded_options() -> None:
    options = (
        OptionRecord("mixed_precision", "fp16", command="trainer"),
        OptionRecord("mixed_precision", "no", command="accelerate"),
        OptionRecord("num_processes", 2, command="accelerate"),
    )
    assert recorded_options(Manifest(options=options)) == {"mixed_precision": "fp16", "num_processes": 2}
    assert recorded_options(Manifest()) == {}


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_no_sentence_has_a_gap(cause: Cause) -> None:
    """A word of an option stands only in a step for those who set it, one of the exception only where it was read."""
    patterns = [*cause.exceptions, *cause.lines]
    groups = [set(re.compile(pattern).groupindex) for pattern in patterns]
    read = set.intersection(*groups) if groups and not cause.signals else set()
    assert words_in(cause.meaning) <= read
    for step in cause.steps:
        for name in words_in(step.text) - read:
            assert not step.when({})
            assert not step.when({"something_else": 1})
            assert step.when({name: 2})
    assert cause.steps
    assert cause.meaning.endswith(".")
    assert all(step.text.endswith(".") for step in cause.steps)


def words_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


ODD = [
    OUT_OF_MEMORY,
    "Traceback (most recent call last):\n",
    "  what():  ",
    "RuntimeError: ",
    "(" * 500,
    "a." * 300,
    "\n",
]


@settings(max_examples=200)
@given(
    st.lists(st.one_of(st.sampled_from(ODD), st.text(max_size=20))).map("".join),
    st.sampled_from([0, 1, 134, 137, 139, 255]),
    st.dictionaries(st.sampled_from(["train_batch_size", "resolution", "max_grad_norm"]), st.integers() | st.text()),
)
def test_no_log_and_no_option_is_too_odd(text: str, code: int, options: dict[str, object]) -> None:
    explain(code, text, options)
    explain(code, log_of(text), options)


@pytest.mark.parametrize(
    "text",
    [
        "a." * 60000,
        "RuntimeError:" + " " * 100000,
        "RuntimeError: " + "x\n" * 50000,
        "RuntimeError: Error(s) in loading state_dict for " + "UNet" * 30000,
        "ImportError: " + "xformers " * 15000,
        "NotImplementedError: No operator found for `memory_efficient_attention_x` with inputs:\n" + "  \n" * 40000,
    ],
    ids=lambda text: text[:20],
)
def test_long_exceptions_are_not_searched_for_minutes(text: str) -> None:
    find_cause(Ending(1, text, "in x\n" * 50000, ("what():  " * 2000,)), {})
