"""The templates that ship: each is a spec that a plan takes, and the guide's command is the guide's command.

The demo's scripts have sd-scripts' own options, so what holds here holds for a real checkout. With KL_REALBED, a
folder that holds a clone `sd-scripts`, it is held against that one too.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
from pathlib import Path

import pytest
from spec_plans import plan_of

from launcher.base.findings import Severity
from launcher.base.origin import Source
from launcher.base.places import shipped_folder
from launcher.demo.layout import SOURCES
from launcher.trainer.options import ScriptOptions

TEMPLATES = sorted(shipped_folder("templates").glob("*.toml"))
REAL = Path(os.environ.get("KL_REALBED") or "/nonexistent") / "sd-scripts"
CHECKOUTS = [
    pytest.param(SOURCES, id="demo"),
    pytest.param(
        REAL,
        id="real",
        marks=pytest.mark.skipif(
            not REAL.is_dir(), reason="needs real sd-scripts: set KL_REALBED to a folder with a clone sd-scripts"
        ),
    ),
]

# The guide's command, as people paste it. The two lists have 25 values each.
BLOCK_DIMS = ",".join(["8"] * 25)
BLOCK_ALPHAS = ",".join(["0.0625"] * 25)
GUIDE = f"""
--lowram --pretrained_model_name_or_path="/ponydiffusers/" --train_data_dir="/training_dir" --resolution="1024,1024"
--enable_bucket --min_bucket_reso=256 --max_bucket_reso=1024 --network_alpha=4 --save_model_as="safetensors"
--network_module="lycoris.kohya" --network_args "preset=full" "conv_dim=256" "conv_alpha=4" "use_tucker=False"
"use_scalar=False" "rank_dropout_scale=False" "algo=locon" "train_norm=False" "block_dims={BLOCK_DIMS}"
"block_alphas={BLOCK_ALPHAS}" --network_dropout=0 --lr_scheduler="cosine" --learning_rate=0.0001 --unet_lr=0.0001
--text_encoder_lr=0.0001 --network_dim=8 --scale_weight_norms=1 --no_half_vae --save_every_n_epochs=50
--mixed_precision="fp16" --save_precision="fp16" --caption_extension=".txt" --cache_latents --cache_latents_to_disk
--optimizer_type="AdamW" --max_grad_norm=1 --keep_tokens=1 --max_data_loader_n_workers=8 --bucket_reso_steps=32
--multires_noise_iterations=10 --multires_noise_discount=0.1 --gradient_accumulation_steps=6 --gradient_checkpointing
--train_batch_size=8 --dataset_repeats=0 --max_train_steps=400 --shuffle_caption --sdpa --sample_sampler="euler_a"
--sample_every_n_steps=100
"""
GUIDE_SCRIPT = "sdxl_train_network.py"


def _parser(options: ScriptOptions) -> argparse.ArgumentParser:
    """argparse itself, with the options of a script: how the trainer will read its command line."""
    types = {"int": int, "float": float, "int_or_float": float}
    parser = argparse.ArgumentParser()
    for option in options.options:
        if option.is_flag:
            parser.add_argument(*option.flags, dest=option.name, action="store_true")
        else:
            kind = types.get(option.type or "str", str)
            parser.add_argument(*option.flags, dest=option.name, nargs=option.nargs, type=kind, choices=option.choices)
    return parser


def _script_of(template: Path) -> str:
    """The training script that a template names, or the one it extends."""
    text = template.read_text("utf-8")
    found = re.search(r'^script = "(.+)"$', text, re.MULTILINE) or re.search(r'^extends = "(.+)"$', text, re.MULTILINE)
    assert found, "a template names its script"
    return found[1] if found[1].endswith(".py") else _script_of(template.with_stem(found[1]))


@pytest.mark.parametrize("checkout", CHECKOUTS)
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_spec_that_extends_a_template_is_a_plan_without_findings(
    template: Path, checkout: Path, tmp_path: Path
) -> None:
    if not (checkout / _script_of(template)).is_file():
        pytest.skip(f"this checkout has no {_script_of(template)}")
    spec = tmp_path / "fox.toml"
    lines = [
        f'extends = "{template.stem}"',
        '[model]\npretrained_model_name_or_path = "base.safetensors"',
        '[data]\ntrain_data_dir = "img"',
        '[samples]\nsample_prompts = "prompts.txt"',
    ]
    spec.write_text("\n".join(lines))
    (tmp_path / "prompts.txt").write_text("a fox\n")
    plan, _ = plan_of(spec, "fox-v1", checkout, tmp_path / "cache")
    assert plan.findings == ()


@pytest.mark.parametrize("checkout", CHECKOUTS)
def test_the_guide_template_is_the_command_of_the_guide(checkout: Path, tmp_path: Path) -> None:
    template = shipped_folder("templates") / "pony-locon-guide.toml"
    plan, options = plan_of(template, "pony-locon-guide", checkout, tmp_path / "cache")
    assert plan.trainer.script == GUIDE_SCRIPT
    assert [finding for finding in plan.findings if finding.severity is Severity.ERROR] == []
    parser = _parser(options)
    written = [argument for argument in plan.arguments if argument.origin.source is not Source.KL]
    ours = vars(parser.parse_args([word for argument in written for word in argument.words]))
    guides = vars(parser.parse_args(shlex.split(GUIDE)))
    for words in (ours, guides):
        words["network_args"].sort()  # items are looked up by their keys
    assert ours == guides
    given = {name for name, value in ours.items() if value is not None and value is not False}
    assert sorted(given) == sorted(argument.name for argument in written), "each option once"


def test_the_options_of_the_guide_are_counted() -> None:
    """A slip of the pen in this test would hide one in the template."""
    flags = [word for word in shlex.split(GUIDE) if word.startswith("--")]
    assert len(flags) == len(set(flags)) == 41
    assert GUIDE.count("=False") == 4


# Switches and numbers whose name says all, and those that the line above or the heading explains.
_PLAIN = {
    "script", "lr_scheduler", "lr_scheduler_num_cycles", "lr_warmup_steps", "max_grad_norm", "network_module",
    "save_model_as", "save_precision", "save_every_n_steps", "sample_every_n_steps", "sample_sampler", "algo",
    "conv_dim", "conv_alpha", "warmup_init", "system_prompt", "caption_extension",
}  # fmt: skip


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_every_choice_has_a_line_that_says_what_it_is_for(template: Path) -> None:
    lines = template.read_text("utf-8").splitlines()
    assert re.match(r"# \S.{20,}[.]$", lines[0]), "the first line says what it is for"
    assert all(len(line) <= 120 for line in lines)
    values = [line for line in lines if re.match(r"\w+ = ", line) and not line.startswith("extends")]
    assert [line for line in values if " # " not in line and line.partition(" ")[0] not in _PLAIN] == []


def test_the_old_name_of_the_ponys_template_is_the_command_with_what_nothing_reads(tmp_path: Path) -> None:
    folder = shipped_folder("templates")
    new, _ = plan_of(folder / "pony-locon.toml", "pony-v1", SOURCES, tmp_path / "cache")
    old, _ = plan_of(folder / "pony-locon-guide.toml", "pony-v1", SOURCES, tmp_path / "cache")
    theirs, ours = ({each.name: each.words for each in plan.arguments} for plan in (old, new))
    assert theirs.keys() - ours.keys() == {"pretrained_model_name_or_path", "train_data_dir", "dataset_repeats"}
    assert {name for name in ours if ours[name] != theirs[name]} == {"network_args", "bucket_reso_steps"}
    assert set(ours["network_args"]) < set(theirs["network_args"])
