"""What kl says of optimizers and schedulers, against what the real trainer and the real packages do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from real_bed import CHECKOUT, PYTHON, needs, site_packages

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plan"))

from candidate_bed import real_candidate

from launcher.base.findings import Finding, Severity
from launcher.plan.checks.optimizer import check_optimizer
from launcher.plan.checks.scheduler import check_scheduler
from launcher.trainer.lookup import Absence, public_names
from launcher.trainer.packages import Packages
from launcher.trainer.signatures import signature_of

pytestmark = needs(CHECKOUT, PYTHON)

# Runs the trainer's own functions for each list of words, on one tensor, and two steps of what they make.
TRAINER = """
import contextlib, io, json, sys
sys.path.insert(0, ".")
import torch
import train_network
from library import train_util
results = []
for words in json.load(sys.stdin):
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            args = train_network.setup_parser().parse_args(words)
        one, other = (torch.nn.Parameter(torch.ones(4, 4)) for _ in range(2))
        rates = [args.text_encoder_lr[0] if args.text_encoder_lr else args.learning_rate]
        rates += [args.learning_rate if args.unet_lr is None else args.unet_lr]
        groups = [{"params": [each], "lr": rate} for each, rate in zip((one, other), rates)]
        _, _, optimizer = train_util.get_optimizer(args, groups)
        scheduler = train_util.get_scheduler_fix(args, optimizer, 1)
        for _ in range(2):
            (one.sum() + other.sum()).backward()
            optimizer.step()
            scheduler.step()
        results.append(None)
    except (Exception, SystemExit) as error:
        results.append(f"{type(error).__name__}: {error}")
print("RESULTS" + json.dumps(results))
"""

SPECS = [
    "",
    'optimizer_type = "AdamW"\n[optimizer_args]\nweight_decay = 0.1\nbetas = [0.9, 0.99]',
    'optimizer_type = "AdamW"\n[optimizer_args]\nweight_decy = 0.1',
    'optimizer_type = "AdamW"\n[optimizer_args]\nbetas = 0.9',
    'optimizer_type = "AdamW"\n[optimizer_args]\nweight_decay = -1.0',
    'optimizer_type = "AdamW"\n[optimizer_args]\nlr = 1.0',
    'optimizer_type = "AdamW"\n[optimizer_args]\namsgrad = "true"',
    'optimizer_type = "AdamW"\n[optimizer_args]\namsgrad = true',
    'optimizer_type = "AdamW"\n[optimizer_args]\nfused = true\nforeach = true',
    'optimizer_type = "adamw_8bit"',
    'optimizer_type = "adam"',
    'optimizer_type = "Adam"',
    'optimizer_type = "torch.optim.NAdam"',
    'optimizer_type = "NoSuch"',
    'optimizer_type = "nosuch.Optimizer"',
    'optimizer_type = "dadaptation.DAdaptAdam"\nlearning_rate = 1.0',
    'optimizer_type = "SGDNesterov"',
    'optimizer_type = "SGDNesterov"\n[optimizer_args]\nnesterov = true',
    'optimizer_type = "Lion"\n[optimizer_args]\nweight_decay = 0.01',
    'optimizer_type = "Lion"\nlearning_rate = 0.0',
    'optimizer_type = "Lion"\n[optimizer_args]\neps = 0.01',
    'optimizer_type = "Prodigy"\nlearning_rate = 1.0',
    'optimizer_type = "Prodigy"\nlearning_rate = 1.0\ntext_encoder_lr = 0.5',
    'optimizer_type = "Prodigy"\nunet_lr = 1.0\ntext_encoder_lr = 0.0',
    'optimizer_type = "Prodigy"\nlearning_rate = 1.0\n[optimizer_args]\nd0 = 0.0',
    'optimizer_type = "prodigyopt.Prodigy"\nunet_lr = 1.0\ntext_encoder_lr = 2.0',
    'optimizer_type = "prodigyplus.ProdigyPlusScheduleFree"\nlearning_rate = 1.0',
    'optimizer_type = "prodigyplus.ProdigyPlusScheduleFree"\nlearning_rate = 1.0\n[optimizer_args]\nuse_sped = true',
    'optimizer_type = "AdamWScheduleFree"\nlr_scheduler = "cosine"\nlr_warmup_steps = 10',
    'optimizer_type = "schedulefree.NoSuchScheduleFree"',
    'optimizer_type = "Adafactor"',
    'optimizer_type = "Adafactor"\nlr_warmup_steps = 10',
    'optimizer_type = "Adafactor"\nlr_scheduler = "adafactor"\n[optimizer_args]\nrelative_step = false',
    'optimizer_type = "Adafactor"\n[optimizer_args]\nrelative_step = false\nscale_parameter = false',
    'optimizer_type = "transformers.Adafactor"',
    'optimizer_type = "AdamW"\nuse_8bit_adam = true',
    "use_8bit_adam = true\nuse_lion_optimizer = true",
    'optimizer_type = "AdamW"\nfused_backward_pass = true',
    'lr_scheduler = "cosine"\nlr_warmup_steps = 10',
    'lr_scheduler = "cosine"\nlr_warmup_steps = 0.1',
    "lr_warmup_steps = 10",
    'lr_scheduler = "cosin"',
    'lr_scheduler = "adafactor"',
    'lr_scheduler = "cosine"\nlr_warmup_steps = 100.0',
    'lr_scheduler = "cosine_with_restarts"\nlr_scheduler_num_cycles = 3',
    'lr_scheduler = "cosine_with_restarts"\n[lr_scheduler_args]\nnum_cycles = 3',
    'lr_scheduler = "polynomial"\nlr_scheduler_power = 2.0',
    'lr_scheduler = "inverse_sqrt"\nlr_warmup_steps = 10',
    'lr_scheduler = "reduce_lr_on_plateau"',
    'lr_scheduler = "cosine_with_min_lr"',
    'lr_scheduler = "cosine_with_min_lr"\nlr_scheduler_min_lr_ratio = 0.1',
    'lr_scheduler = "cosine_warmup_with_min_lr"',
    'lr_scheduler = "warmup_stable_decay"\nlr_warmup_steps = 10\nlr_decay_steps = 20',
    'lr_scheduler = "piecewise_constant"',
    'lr_scheduler_type = "CosineAnnealingLR"',
    'lr_scheduler_type = "CosineAnnealingLR"\n[lr_scheduler_args]\nT_max = 100',
    'lr_scheduler_type = "CosineAnnealingLR"\n[lr_scheduler_args]\nT_max = 100\neta = 0.1',
    'lr_scheduler_type = "CosineAnnealingLR"\nlr_warmup_steps = 10\n[lr_scheduler_args]\nT_max = 100',
    'lr_scheduler_type = "ReduceLROnPlateau"',
    'lr_scheduler_type = "cosine"',
]


def _ask(program: str, question: Any, folder: Path) -> Any:
    done = subprocess.run(
        [str(PYTHON), "-c", program],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert "RESULTS" in done.stdout, done.stderr[-3000:]
    return json.loads(done.stdout.rpartition("RESULTS")[2])


def _errors(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def test_an_error_is_said_exactly_where_the_trainer_fails(tmp_path: Path) -> None:
    said, words = [], []
    needed = 'pretrained_model_name_or_path = "a/b"\nnetwork_module = "networks.lora"\ntrain_data_dir = "img"\n'
    for spec in SPECS:
        candidate = real_candidate(tmp_path, needed + spec, CHECKOUT, [site_packages()])
        said.append(_errors([*check_optimizer(candidate), *check_scheduler(candidate)]))
        words.append([word for each in candidate.resolved.chosen for word in _words(each)])
    real = _ask(TRAINER, words, CHECKOUT)
    wrong = [
        (spec, [finding.message for finding in ours], theirs)
        for spec, ours, theirs in zip(SPECS, said, real, strict=True)
        if bool(ours) != bool(theirs)
    ]
    assert wrong == []
    assert sum(map(bool, real)) > 20


def _words(chosen: Any) -> tuple[str, ...]:
    from launcher.plan.values import words_of

    if chosen.items:
        return (f"--{chosen.option.name}", *(f"{item.key}={item.text}" for item in chosen.items))
    words = words_of(chosen.option, chosen.setting.value)
    return words if isinstance(words, tuple) else ()


INSPECT = """
import importlib, inspect, json, sys
results = []
for dotted in json.load(sys.stdin):
    module, _, name = dotted.rpartition(".")
    try:
        parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
    except Exception as error:
        results.append(f"{type(error).__name__}: {error}")
        continue
    takes = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    needs = [p.name for p in parameters if p.default is p.empty and p.name in takes]
    results.append([takes, needs, any(p.kind is p.VAR_KEYWORD for p in parameters)])
print("RESULTS" + json.dumps(results))
"""

MODULES = (
    "torch.optim", "torch.optim.lr_scheduler", "bitsandbytes.optim", "lion_pytorch", "prodigyopt", "prodigyplus",
    "schedulefree", "pytorch_optimizer", "transformers.optimization", "dadaptation",
)  # fmt: skip


def test_signatures_read_statically_are_those_that_python_sees(tmp_path: Path) -> None:
    packages = Packages(CHECKOUT, (site_packages(),))
    names = [f"{module}.{name}" for module in MODULES for name in public_names(packages, module)]
    real = dict(zip(names, _ask(INSPECT, names, tmp_path), strict=True))
    compared = 0
    for dotted, truth in real.items():
        ours = signature_of(packages, dotted)
        if isinstance(ours, Absence):
            assert isinstance(truth, str) or ours is Absence.OPEN, (dotted, ours, truth)
            continue
        if isinstance(truth, str) or ours.open:
            continue
        takes, needs, spreads = truth
        # What `**kwargs` are handed on to is ours alone; what stands in the signature itself must agree.
        assert [name for name in ours.keywords if name in takes] == takes, dotted
        assert spreads or list(ours.keywords) == takes, dotted
        assert {each.name for each in ours.parameters if each.default is None} >= set(needs), dotted
        compared += 1
    assert compared > 40
