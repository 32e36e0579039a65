"""The optimizer and its learning rates, against a made-up checkout and environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from candidate_bed import candidate_of
from plan_bed import USUAL, codes, option, switch
from trainer_sources import (
    ADAM,
    EIGHT_BIT,
    ONE_RATE,
    SHARED,
    TRAIN_UTIL_HEAD,
    dadaptation,
    get_optimizer,
    optimizer_class,
)

from launcher.base.findings import Finding, Severity
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.optimizer import check_optimizer

TRAIN_UTIL = TRAIN_UTIL_HEAD + SHARED + get_optimizer(EIGHT_BIT, dadaptation("DAdaptAdam", "DAdaptAdan"))
LOOKS_FIRST = """
class LooksFirst(Optimizer):
    def __init__(self, params, lr=1): ...
    def step(self, closure): return closure() if closure is not None else None
"""
PACKAGES = {
    "torch/__init__.py": "",
    "torch/optim/__init__.py": "from .adam import AdamW, LBFGS, LooksFirst\n",
    "torch/optim/adam.py": ADAM + LOOKS_FIRST,
    "prodigyopt/__init__.py": ONE_RATE.format(name="Prodigy", parameters="d_coef=1.0"),
    "dadaptation/__init__.py": ONE_RATE.format(name="DAdaptAdam", parameters="d_coef=1.0")
    + "\nclass DAdaptAdan:\n    def __init__(self, params, lr=1.0): ...\n",
    "transformers/__init__.py": "",
    "transformers/optimization.py": optimizer_class("Adafactor", "lr=None, relative_step=True, warmup_init=False"),
    "swallows/__init__.py": "class Any:\n    def __init__(self, params, lr, **kwargs): ...\n",
}
OPTIONS = (
    *USUAL, option("optimizer_type", type="str", default=""), switch("use_8bit_adam"),
    option("max_grad_norm", type="float", default=1.0), option("unet_lr", type="float"),
    option("text_encoder_lr", type="float", nargs="*"), switch("network_train_unet_only"),
    switch("network_train_text_encoder_only"),
)  # fmt: skip
LORA = "def prepare_optimizer_params(): ...\nloraplus_lr_ratio = None\n"


def made(folder: Path, text: str, **changed: Any) -> Candidate:
    sources = {"library/train_util.py": TRAIN_UTIL, "networks/lora.py": LORA}
    whole = f'network_module = "networks.lora"\n{text}'
    return candidate_of(folder, whole, *OPTIONS, sources=sources, **{"packages": PACKAGES, **changed})


def said(folder: Path, text: str, **changed: Any) -> list[Finding]:
    return list(check_optimizer(made(folder, text, **changed)))


def only(folder: Path, text: str) -> Finding:
    findings = said(folder, text)
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        'optimizer_type = "AdamW"\n[optimizer_args]\nweight_decay = 0.1\nbetas = [0.9, 0.99]\namsgrad = true',
        'optimizer_type = "adamw"',
        'optimizer_type = "prodigyopt.Prodigy"\nlearning_rate = 1.0\n[optimizer_args]\nd_coef = 2',
        'optimizer_type = "prodigyopt.Prodigy"\nunet_lr = 1.0\ntext_encoder_lr = 0.0',
        'optimizer_type = "prodigyopt.Prodigy"\nunet_lr = 1.0\ntext_encoder_lr = 0.5\nnetwork_train_unet_only = true',
        'optimizer_type = "AdamW"\nunet_lr = 1e-4\ntext_encoder_lr = 5e-5',
        'optimizer_type = "Adafactor"',
        'optimizer_type = "Adafactor"\nmax_grad_norm = 0.0\n[optimizer_args]\nrelative_step = false',
    ],
)
def test_sound_specs_pass(tmp_path: Path, text: str) -> None:
    assert said(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ('optimizer_type = "adamw_8bit"', "optimizer-package-missing", "pip install bitsandbytes"),
        ('optimizer_type = "AdanW"', "unknown-optimizer", "AdamW"),
        ('optimizer_type = "Prodigy"', "unknown-optimizer", "prodigyopt.Prodigy"),
        ('optimizer_type = "prodigy_opt.Prodigy"', "optimizer-package-missing", "prodigyopt"),
        ('optimizer_type = "prodigyopt.Prodgy"', "optimizer-class-missing", "prodigyopt.Prodigy"),
        ('optimizer_type = "torch.optimizers.AdamW"', "optimizer-class-missing", "AdamW"),
        ('optimizer_type = "dadaptation.DAdaptAdam"', "optimizer-refused", "DAdaptAdam"),
        ('optimizer_type = ".AdamW"', "unknown-optimizer", "AdamW"),
        ('optimizer_type = "LBFGS"', "optimizer-needs-closure", "another"),
        ('optimizer_type = "torch.optim.adam"', "optimizer-class-missing", "AdamW"),
    ],
)
def test_an_optimizer_that_cannot_be_made(tmp_path: Path, text: str, code: str, hint: str) -> None:
    finding = only(tmp_path, text)
    assert finding.code == code
    assert hint in (finding.hint or "")
    assert (finding.where or "").endswith("fox.toml:2")


def test_a_wrong_name_is_not_looked_for_in_a_package_that_is_missing(tmp_path: Path) -> None:
    (finding,) = said(tmp_path, 'optimizer_type = "DAdaptAdamm"', packages={"torch/__init__.py": ""})
    assert (finding.code, finding.hint) == ("optimizer-refused", "Did you mean DAdaptAdam?")


def test_an_optimizer_that_can_do_without_a_closure(tmp_path: Path) -> None:
    assert only(tmp_path, 'optimizer_type = "LBFGS"').severity is Severity.ERROR
    assert said(tmp_path, 'optimizer_type = "LooksFirst"') == []


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    findings = said(tmp_path, 'optimizer_type = "AdamW"\nuse_8bit_adam = true')
    assert codes(findings) == ["optimizer-refused"]
    assert findings[0].message.endswith("not both of them.")


@pytest.mark.parametrize(
    ("item", "code", "hint"),
    [
        ("weight_decy = 0.1", "optimizer-args-key", "weight_decay"),
        ("lr = 0.1", "optimizer-args-twice", "learning_rate"),
        ("params = 1", "optimizer-args-twice", "Remove"),
        ('amsgrad = "true"', "optimizer-args-value", "True"),
        ('amsgrad = "word"', "optimizer-args-value", "\"'word'\""),
        ('amsgrad = "a=b"', "optimizer-args-value", None),
        ("weight_decay = -1", "optimizer-args-refused", None),
        ("betas = 0.9", "optimizer-args-refused", None),
        ("betas = [0.9, 0.99, 0.999]", "optimizer-args-type", None),
        ("amsgrad = 0.5", "optimizer-args-type", None),
    ],
)
def test_arguments_that_the_optimizer_does_not_take(tmp_path: Path, item: str, code: str, hint: str | None) -> None:
    finding = only(tmp_path, f'optimizer_type = "AdamW"\n[optimizer_args]\n{item}')
    assert finding.code == code
    assert (finding.where or "").endswith("fox.toml:4")
    assert (hint or "") in (finding.hint or "")


@pytest.mark.parametrize(
    ("item", "line"), [("betas = [9, 0.9]", "fox.toml:4"), ("betas = 0.9", "fox.toml:4"), ("lr = 0", "fox.toml:3")]
)
def test_what_is_refused_is_pointed_at(tmp_path: Path, item: str, line: str) -> None:
    rest = f"[optimizer_args]\n{item}\namsgrad = true" if item != "lr = 0" else "learning_rate = -1e-4"
    finding = only(tmp_path, f'optimizer_type = "AdamW"\n{rest}')
    assert finding.code == "optimizer-args-refused"
    assert str(finding.where).endswith(line)
    assert finding.hint == ("Write 0.0001." if item == "lr = 0" else None)


def test_every_item_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    findings = said(tmp_path, 'optimizer_type = "AdamW"\n[optimizer_args]\nbetas = "x"\namsgrad = "y"\nnone = 1')
    assert codes(findings) == ["optimizer-args-value", "optimizer-args-value", "optimizer-args-key"]


def test_a_key_that_is_taken_and_never_read(tmp_path: Path) -> None:
    finding = only(tmp_path, 'optimizer_type = "swallows.Any"\n[optimizer_args]\nweight_decay = 1')
    assert (finding.code, finding.severity) == ("optimizer-args-key", Severity.ERROR)


@pytest.mark.parametrize(
    "rates",
    [
        "learning_rate = 1.0\ntext_encoder_lr = 0.5",
        "unet_lr = 1.0\ntext_encoder_lr = [2.0]",
        "learning_rate = 1.0\ntext_encoder_lr = 5e-5",  # far from 1 as well: told once
    ],
)
@pytest.mark.parametrize("name", ["prodigyopt.Prodigy", "DAdaptAdam"])
def test_different_rates_for_an_optimizer_that_takes_one(tmp_path: Path, name: str, rates: str) -> None:
    finding = only(tmp_path, f'optimizer_type = "{name}"\n{rates}')
    assert (finding.code, finding.severity) == ("different-rates", Severity.ERROR)


def test_different_rates_where_only_the_first_counts(tmp_path: Path) -> None:
    finding = only(tmp_path, 'optimizer_type = "DAdaptAdan"\nlearning_rate = 1.0\ntext_encoder_lr = 0.5')
    assert (finding.code, finding.severity) == ("first-rate-only", Severity.WARNING)


def test_different_rates_are_doubtful_where_the_text_encoder_may_not_be_trained(tmp_path: Path) -> None:
    text = 'optimizer_type = "prodigyopt.Prodigy"\nlearning_rate = 1.0\ntext_encoder_lr = 0.5'
    (finding,) = said(tmp_path, text, script_file="flux_train_network.py")
    assert (finding.code, finding.severity) == ("different-rates", Severity.WARNING)


def test_lora_plus_makes_rates_different(tmp_path: Path) -> None:
    text = 'optimizer_type = "prodigyopt.Prodigy"\nlearning_rate = 1.0\n[network_args]\nloraplus_lr_ratio = '
    assert codes(said(tmp_path, f"{text}16")) == ["different-rates"]
    assert said(tmp_path, f"{text}1") == []


@pytest.mark.parametrize(
    ("rate", "speaks"), [("1e-4", True), ("0.1", True), ("0.5", False), ("2.0", False), ("30.0", True)]
)
def test_a_rate_far_from_one(tmp_path: Path, rate: str, speaks: bool) -> None:
    findings = said(tmp_path, f'optimizer_type = "prodigyopt.Prodigy"\nlearning_rate = {rate}')
    assert codes(findings) == (["rate-far-from-one"] if speaks else [])


def test_a_rate_left_at_its_default_is_far_from_one_too(tmp_path: Path) -> None:
    finding = only(tmp_path, 'optimizer_type = "DAdaptAdam"')
    assert finding.code == "rate-far-from-one"
    assert "by default" in finding.message


def test_rates_that_adafactor_ignores(tmp_path: Path) -> None:
    findings = said(tmp_path, 'optimizer_type = "Adafactor"\nlearning_rate = 1e-4\nunet_lr = 1e-3')
    assert codes(findings) == ["rate-without-effect", "rate-without-effect"]


def test_a_warm_up_of_adafactor_turns_relative_steps_on_again(tmp_path: Path) -> None:
    text = 'optimizer_type = "Adafactor"\nlearning_rate = 1e-4\n[optimizer_args]\nrelative_step = false\n'
    finding = only(tmp_path, f"{text}warmup_init = true")
    assert finding.code == "rate-without-effect"
    assert finding.hint == "warmup_init turns relative_step on: leave it out to train with this rate."


def test_adafactor_and_the_trainers_clipping(tmp_path: Path) -> None:
    text = 'optimizer_type = "Adafactor"\nlearning_rate = 1e-3\n[optimizer_args]\nrelative_step = false'
    assert [(each.code, each.severity) for each in said(tmp_path, text)] == [("adafactor-clipping", Severity.ADVICE)]


def test_packages_from_elsewhere_are_not_missing(tmp_path: Path) -> None:
    text = 'optimizer_type = "outside.Optimizer"'
    assert codes(said(tmp_path, text)) == ["optimizer-package-missing"]
    assert said(tmp_path, text, environ={"PYTHONPATH": "/elsewhere"}) == []


def test_a_checkout_without_such_a_function_is_left_alone(tmp_path: Path) -> None:
    text = 'optimizer_type = "Nonsense"'
    assert list(check_optimizer(candidate_of(tmp_path, text, *OPTIONS, sources={"library/train_util.py": ""}))) == []
    assert list(check_optimizer(candidate_of(tmp_path, text, *USUAL))) == []
