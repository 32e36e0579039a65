"""The plan of a resumed attempt: which words change, and what counts as another spec."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.base.settings import Value
from launcher.demo.layout import SOURCES
from launcher.plan.plan import Argument, Item, Outputs, Plan, Trainer, TrainingEnvironment
from launcher.plan.resume import From, differences, in_another_folder, resumed, spreads_over_steps

SPEC = Origin(Source.SPEC, "fox.toml", Path("fox.toml"), 3)
KL = Origin(Source.KL, "kl")


def argument(name: str, value: Value = True, origin: Origin = SPEC) -> Argument:
    word = f"--{name}" if value is True else f"--{name}={value}"
    return Argument(name, (word,), value, origin)


def plan_with(checkout: Path, *arguments: Argument, script: str = "train_network.py") -> Plan:
    return Plan(
        name="fox-v1s12",
        directory=Path("/runs/fox-v1s12"),
        spec=Path("/specs/fox.toml"),
        trainer=Trainer(checkout, None, script),
        environment=TrainingEnvironment("python", "python", Path(sys.executable), {}),
        accelerate=(argument("main_process_port", 29500),),
        arguments=arguments,
        variables={"HF_HUB_OFFLINE": "1"},
        files=(),
        outputs=Outputs(("fox-v1s12.safetensors",), (), (), states=True, samples=False),
        steps=12,
        notes="",
        keep_failed=True,
        findings=(),
    )


START = From(Path("/runs/fox-v1s12/fox-v1s12-step00000004-state"), 4)
ADDED = (f"--resume={START.state}", "--skip_until_initial_step")


def words(plan: Plan) -> tuple[str, ...]:
    return tuple(word for each in plan.arguments for word in each.words)


def test_where_to_start_is_said_anew_and_all_else_stays() -> None:
    before = plan_with(
        SOURCES,
        argument("max_train_steps", 12),
        argument("resume", "/other/state"),
        argument("resume_from_huggingface"),
        argument("initial_step", 3),
        argument("initial_epoch", 2),
        argument("skip_until_initial_step"),
        argument("sample_at_first"),
        argument("seed", 7),
    )
    assert words(resumed(before, START, {})) == ("--max_train_steps=12", "--seed=7", *ADDED)


def test_the_script_counts_on_and_finds_the_checkout_s_modules() -> None:
    plan = resumed(plan_with(SOURCES), START, {})
    assert plan.trainer.script == "/runs/fox-v1s12/resume/train_network.py"
    assert plan.trainer.checkout == SOURCES
    assert [file.name for file in plan.files] == ["resume/train_network.py"]
    assert b"kl_steps_done" in plan.files[0].content
    assert plan.variables == {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(SOURCES)}


def test_a_python_path_of_the_user_stays() -> None:
    plan = plan_with(SOURCES)
    assert resumed(plan, START, {"PYTHONPATH": "/mine"}).variables["PYTHONPATH"] == f"{SOURCES}:/mine"
    own = replace(plan, variables={"PYTHONPATH": "/own"})
    assert resumed(own, START, {"PYTHONPATH": "/mine"}).variables["PYTHONPATH"] == f"{SOURCES}:/own"


def test_a_script_of_another_base_model_takes_its_module_along() -> None:
    plan = resumed(plan_with(SOURCES, script="sdxl_train_network.py"), START, {})
    assert plan.trainer.script.endswith("/resume/sdxl_train_network.py")
    files = {file.name: file.content for file in plan.files}
    assert files["resume/sdxl_train_network.py"] == (SOURCES / "sdxl_train_network.py").read_bytes()
    assert b"kl_steps_done" in files["resume/train_network.py"]


@pytest.mark.parametrize(
    ("script", "text", "said"),
    [
        ("fine_tune.py", "import library", "counts its steps from 0"),
        ("tools/train.py", "import train_network", "counts its steps from 0"),
        ("train_network.py", "import argparse", "came with v0.9.0"),
        ("train_network.py", "parser.add_argument('--skip_until_initial_step')", "is not known"),
    ],
)
def test_a_script_that_cannot_count_on_is_refused(tmp_path: Path, script: str, text: str, said: str) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / script).write_text(text)
    with pytest.raises(KlError) as error:
        resumed(plan_with(tmp_path, script=script), START, {})
    assert said in error.value.message
    assert error.value.code is ExitCode.ENVIRONMENT_NOT_READY


def test_a_checkout_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KlError, match="cannot be read"):
        resumed(plan_with(tmp_path / "gone"), START, {})


def test_more_steps_take_the_place_of_steps_and_of_epochs() -> None:
    more = replace(START, steps=20)
    by_steps = resumed(plan_with(SOURCES, argument("max_train_steps", 12)), more, {})
    assert words(by_steps) == ("--max_train_steps=20", *ADDED)
    by_epochs = plan_with(SOURCES, argument("max_train_steps", 12), argument("max_train_epochs", 4))
    assert words(resumed(by_epochs, more, {})) == ("--max_train_steps=20", *ADDED)
    assert by_steps.steps == 20


def test_the_same_steps_change_nothing() -> None:
    same = resumed(plan_with(SOURCES, argument("max_train_steps", 12)), replace(START, steps=12), {})
    assert words(same) == ("--max_train_steps=12", *ADDED)
    by_epochs = replace(plan_with(SOURCES, argument("max_train_epochs", 4)), steps=None)
    assert words(resumed(by_epochs, START, {})) == ("--max_train_epochs=4", *ADDED)
    assert resumed(by_epochs, START, {}).steps is None


def items(*pairs: str) -> Argument:
    kept = tuple(Item(key, value, value, SPEC) for key, _, value in (pair.partition("=") for pair in pairs))
    return Argument("network_args", ("--network_args", *pairs), None, SPEC, items=kept)


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        (argument("seed", 7), argument("seed", 8), ("seed: 7 then, 8 now (fox.toml:3)",)),
        (argument("sdpa"), None, ("sdpa: set then, not set now",)),
        (None, argument("sdpa"), ("sdpa: not set then, set now (fox.toml:3)",)),
        (argument("learning_rate", "1e-4"), argument("learning_rate", 0.0001), ()),
        (argument("max_train_steps", 10**400), argument("max_train_steps", 10**400), ()),
        (items("algo=locon", "conv_dim=8"), items("conv_dim=8", "algo=locon"), ()),
        (items("algo=locon"), items("algo=loha"), ("network_args: algo=locon then, algo=loha now (fox.toml:3)",)),
        (argument("save_last_n_steps", 4, KL), None, ()),
        (None, argument("of_a_newer_kl", 1, KL), ()),
    ],
)
def test_what_counts_as_another_spec(then: Argument | None, now: Argument | None, said: tuple[str, ...]) -> None:
    before = plan_with(SOURCES, *([then] if then else []))
    after = plan_with(SOURCES, *([now] if now else []))
    assert differences(before, after) == said


def test_the_port_may_be_another() -> None:
    then = plan_with(SOURCES)
    assert differences(then, replace(then, accelerate=(argument("main_process_port", 1),))) == ()
    assert differences(then, replace(then, accelerate=(argument("num_processes", 2),))) == (
        "num_processes: not set then, 2 now (fox.toml:3)",
    )


def test_paths_of_a_directory_that_was_moved() -> None:
    old, new = Path("/runs/fox"), Path("/mnt/fox")
    moved = in_another_folder(argument("dataset_config", "/runs/fox/config.toml"), old, new)
    assert (moved.words, moved.value) == (("--dataset_config=/mnt/fox/config.toml",), "/mnt/fox/config.toml")
    for other in ("/runs/fox-2/config.toml", "/runs", 7):
        assert in_another_folder(argument("dataset_config", other), old, new) == argument("dataset_config", other)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], None),
        ([argument("lr_scheduler", "constant")], None),
        ([argument("lr_scheduler", "cosine")], "cosine"),
        ([argument("lr_scheduler", "constant"), argument("lr_scheduler_type", "CosineAnnealingLR")],
         "CosineAnnealingLR"),
    ],
)  # fmt: skip
def test_schedulers_that_depend_on_the_number_of_steps(arguments: list[Argument], said: str | None) -> None:
    assert spreads_over_steps(plan_with(SOURCES, *arguments)) == said
