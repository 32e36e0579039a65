"""What the rules about saving, steps, resume, samples, logs and processes call errors, done to the real trainer.

Its own functions get the arguments that its own parser makes of the same options; where a check stands in the middle
of the training loop, the expression itself is taken from there and evaluated.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from real_bed import CHECKOUT, PYTHON, needs, site_packages

from launcher.base.findings import Finding, Severity
from launcher.plan.checks.rules import hub, logging, processes, resume, sampling, saving, steps
from launcher.plan.checks.rules.rule import apply_rules

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plan"))
from candidate_bed import real_candidate

RULES = [rule for module in (saving, steps, resume, sampling, logging, processes, hub) for rule in module.RULES]

pytestmark = needs(CHECKOUT, PYTHON)

_NEEDED = 'pretrained_model_name_or_path = "owner/model"\nnetwork_module = "networks.lora"\ntrain_data_dir = "img"\n'
# The code, the options as a spec has them, and what the real trainer does with them in _TRAINER below.
FAILS = [
    ("save-every-steps", "save_every_n_steps = 0", "ZeroDivisionError"),
    ("save-every-epochs", "save_every_n_epochs = 0", "ZeroDivisionError"),
    ("validate-every", "validate_every_n_epochs = 0", "ZeroDivisionError"),
    ("gradient-accumulation", "gradient_accumulation_steps = 0", "ZeroDivisionError"),
    ("save-last-epochs", "save_every_n_epochs = 2\nsave_last_n_epochs = 0", "removes epoch 8 of 8"),
    ("save-last-steps", "save_every_n_steps = 10\nsave_last_n_steps = -1", "removes step 80 of 80"),
    ("initial-step-too-late", "initial_step = 100\nmax_train_steps = 100", "AssertionError"),
    ("seed", "seed = -1", "ValueError"),
    ("validation-split", "validation_split = 20", "0 pictures left"),
    ("resume-no-state", 'resume = "./model.safetensors"', "ValueError"),
    ("sample-without-prompts", "sample_every_n_steps = 10", "TypeError"),
    ("wandb-missing", 'log_with = "wandb"', "ImportError"),
    ("tracker-config", 'log_tracker_config = "./none.toml"', "FileNotFoundError"),
    ("console-log-file", 'console_log_file = "./none/x.log"', "FileNotFoundError"),
    ("persistent-workers", "persistent_data_loader_workers = true\nmax_data_loader_n_workers = 0", "ValueError"),
    ("data-loader-workers", "max_data_loader_n_workers = -1", "ValueError"),
    ("deepspeed-missing", "deepspeed = true", "SystemExit"),
    ("deepspeed-launch", "deepspeed = true", "KeyError"),
    ("cpu-offload-model", "cpu_offload_checkpointing = true\ngradient_checkpointing = true", "TypeError"),
    ("hub-path", 'huggingface_repo_id = "owner/fox"', "nothing uploaded"),
]
_TRAINER = """
import ast, json, logging, os, sys, types
import torch, accelerate, huggingface_hub
from library import deepspeed_utils, huggingface_util, original_unet, train_util, utils
import train_network

UNET = original_unet.UNet2DConditionModel

def loop(kind, wanted):
    tree = ast.parse(open("train_network.py", encoding="utf-8").read())
    nodes = (node for node in ast.walk(tree) if isinstance(node, kind) and wanted in ast.unparse(node))
    return min((ast.unparse(node) for node in nodes), key=len)

def compare(args, wanted):
    return eval(loop(ast.Compare, wanted), {"args": args, "global_step": 1, "epoch": 0})

def batches(args):
    division = loop(ast.BinOp, "len(train_dataloader) / args.gradient_accumulation_steps")
    return eval(division, {"args": args, "train_dataloader": [1]})

def remove(args, kind, number):
    gone = getattr(train_util, f"get_remove_{kind}_no")(args, number)
    return f"removes {kind} {gone} of {number}"

def asserted(args):
    node = ast.parse(loop(ast.Assert, "args.max_train_steps > initial_step"))
    exec(compile(node, "loop", "exec"), {"args": args, "initial_step": args.initial_step})

def load(args):
    accelerator = accelerate.Accelerator(cpu=True)
    train_util.resume_from_local_or_hf_if_specified(accelerator, args)

def loader(args):
    torch.utils.data.DataLoader(
        [1, 2], num_workers=min(args.max_data_loader_n_workers, os.cpu_count()),
        persistent_workers=args.persistent_data_loader_workers,
    )

def pictures(args):
    left, _ = train_util.split_train_val(["a"] * 10, [None] * 10, True, args.validation_split, None)
    return f"{len(left)} pictures left"

def launched(args):
    sys.modules["deepspeed"] = types.ModuleType("deepspeed")
    deepspeed_utils.DeepSpeedPlugin = lambda **_: types.SimpleNamespace(deepspeed_config={})
    try:
        deepspeed_utils.prepare_deepspeed_plugin(args)
    finally:
        del sys.modules["deepspeed"]

def uploaded(args):
    sent = []
    class Api(huggingface_hub.HfApi):
        def repo_info(self, *_, **__): return None
        def create_commit(self, *_, **__): sent.append(True)
    huggingface_util.HfApi = Api
    huggingface_util.upload(args, "train_network.py", "/fox.safetensors", force_sync_upload=True)
    return "uploaded" if sent else "nothing uploaded"

def sample(args):
    train_util.sample_images_common(None, None, args, None, 10, *[None] * 5)

def trackers(args):
    train_util.init_trackers(types.SimpleNamespace(is_main_process=True), args, "x")

STEPS = {
    "save-every-steps": lambda args: compare(args, "global_step % args.save_every_n_steps"),
    "save-every-epochs": lambda args: compare(args, "(epoch + 1) % args.save_every_n_epochs"),
    "validate-every": lambda args: compare(args, "(epoch + 1) % args.validate_every_n_epochs"),
    "gradient-accumulation": batches,
    "save-last-epochs": lambda args: remove(args, "epoch", 8),
    "save-last-steps": lambda args: remove(args, "step", 80),
    "initial-step-too-late": asserted,
    "seed": lambda args: train_network.set_seed(args.seed),
    "validation-split": pictures,
    "resume-no-state": load,
    "sample-without-prompts": sample,
    "wandb-missing": train_util.prepare_accelerator,
    "tracker-config": trackers,
    "console-log-file": lambda args: utils.setup_logging(args, reset=True),
    "persistent-workers": loader,
    "data-loader-workers": loader,
    "deepspeed-missing": deepspeed_utils.prepare_deepspeed_plugin,
    "deepspeed-launch": launched,
    "cpu-offload-model": lambda args: UNET.enable_gradient_checkpointing(None, cpu_offload=True),
    "hub-path": uploaded,
}
parser = train_network.setup_parser()
done = {}
for code, words, good in json.load(sys.stdin):
    for name, line in (("bad", words), ("good", good)):
        args = parser.parse_args(line)
        args.logging_dir = "logs"
        try:
            done[f"{code} {name}"] = str(STEPS[code](args))
        except BaseException as error:
            done[f"{code} {name}"] = type(error).__name__
print("DONE" + json.dumps(done))
"""
# The same steps with options that are right; None where only other surroundings would make them so.
RIGHT: dict[str, tuple[str, str] | None] = {
    "save-every-steps": ("save_every_n_steps = 2", "False"),
    "save-every-epochs": ("save_every_n_epochs = 2", "False"),
    "validate-every": ("validate_every_n_epochs = 2", "False"),
    "gradient-accumulation": ("gradient_accumulation_steps = 2", "0.5"),
    "save-last-epochs": ("save_every_n_epochs = 2\nsave_last_n_epochs = 1", "removes epoch 6 of 8"),
    "save-last-steps": ("save_every_n_steps = 10\nsave_last_n_steps = 20", "removes step 50 of 80"),
    "initial-step-too-late": ("initial_step = 99\nmax_train_steps = 100", "None"),
    "seed": ("seed = 4294967295", "None"),
    "validation-split": ("validation_split = 0.2", "8 pictures left"),
    "persistent-workers": ("max_data_loader_n_workers = 0", "None"),
    "data-loader-workers": ("max_data_loader_n_workers = 0", "None"),
    "hub-path": ('huggingface_repo_id = "owner/fox"\nhuggingface_path_in_repo = "loras"', "uploaded"),
}


def _findings(folder: Path, text: str) -> list[Finding]:
    run = real_candidate(folder, _NEEDED + text, CHECKOUT, [site_packages()])
    return list(apply_rules(RULES, replace(run, environ={**run.environ, "HOME": str(folder)})))


def _words(text: str) -> list[str]:
    words = []
    for line in filter(None, text.splitlines()):
        key, _, value = line.partition(" = ")
        words.append(f"--{key}" if value == "true" else f"--{key}={json.loads(value)}")
    return words


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What became of every case in the real trainer, in one process; logs and files stay out of the checkout."""
    folder = tmp_path_factory.mktemp("trainer")
    script = folder / "steps.py"
    script.write_text(_TRAINER, encoding="utf-8")
    cases = [(code, _words(text), _words((RIGHT.get(code) or ("", ""))[0])) for code, text, _ in FAILS]
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}
    environ.pop("WORLD_SIZE", None)
    (folder / "train_network.py").symlink_to(CHECKOUT / "train_network.py")
    python = str(PYTHON)
    done = subprocess.run(
        [python, str(script)], input=json.dumps(cases), cwd=folder, env=environ, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    line = next((line for line in done.stdout.splitlines() if line.startswith("DONE")), None)
    assert line, done.stderr[-4000:]
    yield json.loads(line.removeprefix("DONE"))


@pytest.mark.parametrize(("code", "text", "outcome"), FAILS)
def test_what_is_called_an_error_fails(
    tmp_path: Path, trainer: dict[str, str], code: str, text: str, outcome: str
) -> None:
    if code.endswith("-missing") and (site_packages() / code.removesuffix("-missing")).exists():
        pytest.skip(f"the bed has {code.removesuffix('-missing')}")
    if code == "resume-no-state":
        (tmp_path / "model.safetensors").touch()
    found = [finding for finding in _findings(tmp_path, text) if finding.code == code]
    assert [finding.severity for finding in found] == [Severity.ERROR]
    assert trainer[f"{code} bad"] == outcome


@pytest.mark.parametrize("code", sorted(code for code, right in RIGHT.items() if right))
def test_what_is_right_works_and_is_not_blamed(tmp_path: Path, trainer: dict[str, str], code: str) -> None:
    right = RIGHT[code]
    assert right is not None
    text, outcome = right
    assert trainer[f"{code} good"] == outcome
    assert [f for f in _findings(tmp_path, text) if f.code == code and f.severity is not Severity.ADVICE] == []


@pytest.mark.parametrize("template", ["sd15-locon", "sdxl-locon"])
def test_the_templates_are_sound(tmp_path: Path, template: str) -> None:
    text = (Path(__file__).resolve().parents[2] / "templates" / f"{template}.toml").read_text(encoding="utf-8")
    script = "sdxl_train_network.py" if template.startswith("sdxl") else "train_network.py"
    (tmp_path / "prompts.txt").write_text("a fox\n")
    needed = 'pretrained_model_name_or_path = "owner/model"\ntrain_data_dir = "img"\nsample_prompts = "prompts.txt"\n'
    run = real_candidate(tmp_path, needed + text, CHECKOUT, [site_packages()], script)
    short = ("save-steps-too-late", "sample-too-late")  # true of this run, which has 100 steps by its name
    found = [finding for finding in apply_rules(RULES, run) if finding.code not in short]
    assert [finding for finding in found if finding.severity is not Severity.ADVICE] == []
