"""Arguments of a training command to entries of a spec: types, headings, what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from import_bed import imported
from plan_bed import USUAL, option, plan_of, script

from launcher.plan.headings import HEADINGS, heading_of
from launcher.plan.import_arguments import item_value
from launcher.plan.values import item_text
from launcher.spec.toml_parser import loads

OPTIONS = script(*USUAL, option("lr_warmup_steps", type="int_or_float", default=0), option("caption_dir", type="str"))


def spec(arguments: str, *, without_defaults: bool = False) -> tuple[str, list[str]]:
    """The text of the spec behind its first lines, and what was said."""
    found = imported(f"python train_network.py {arguments}\n", OPTIONS, without_defaults=without_defaults)
    loads(found.text)
    _, _, text = found.text.partition('script = "train_network.py"\n')
    return text.strip(), [finding.message for finding in found.findings]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--network_dim=8", "network_dim = 8"),
        ("--network_dim 08", "network_dim = 8"),
        ("--network_dim=x", 'network_dim = "x"'),
        ("--network_alpha=1", "network_alpha = 1"),
        ("--network_alpha=.5", 'network_alpha = ".5"'),
        ("--learning_rate=1e-4", "learning_rate = 1e-4"),
        ("--learning_rate=inf", 'learning_rate = "inf"'),
        ("--lr_warmup_steps=100", "lr_warmup_steps = 100"),
        ("--lr_warmup_steps=1e2", 'lr_warmup_steps = "1e2"'),
        ("--seed=-1", "seed = -1"),
        ("--seed -1", "seed = -1"),
        ("--sdpa", "sdpa = true"),
        ("--no_keep", "keep = false"),
        ("--betas 1 2e-3", "betas = [1, 2e-3]"),
        ("--base_weights_multiplier 1", "base_weights_multiplier = 1"),
        ("--vae=/home/me/a.pt", 'vae = "~/a.pt"'),
        ("--vae=a/b", 'vae = "a/b"'),
        ("--vae=./a.pt", 'vae = "/here/a.pt"'),
        ("--vae=/home/me/../a.pt", 'vae = "/home/me/../a.pt"'),
        ("--caption_dir='/a \"b\"\t'", 'caption_dir = "/a \\"b\\"\\t"'),
    ],
)
def test_a_value_as_people_write_it(arguments: str, line: str) -> None:
    text, said = spec(arguments)
    assert text.splitlines()[-1] == line and said == []


@pytest.mark.parametrize(
    "text",
    ["True", "true", "8", "08", "1e-4", "0.5", "1.0", ".5", "8,8", "1,2.5", "1,a", "inf", "nan", "-1", "", "a=b"],
)
def test_an_item_comes_back_letter_by_letter(text: str) -> None:
    assert item_text(item_value(text)) == text


def test_items_are_a_table_with_their_last_values() -> None:
    text, said = spec("--network_args a=1 b=True a=2")
    assert text == "[network_args]\nb = true\na = 2" and said == []
    text, _ = spec("--network_args a b=1")
    assert text == '[network]\nnetwork_args = ["a", "b=1"]'
    assert spec("--network_args --sdpa")[1] == ["network_args is given nothing, and was left out."]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--seed=1 --seed=2", "seed is given twice: this one counts, as for the trainer."),
        ("--nosuch=1", "train_network.py has no option --nosuch."),
        ("--network_di=4", "--network_di is written out: --network_dim."),
        ("stray --seed=1", "stray was left out: it belongs to no option."),
        ("--seed", "--seed needs a value."),
        ("--sdpa=1", "--sdpa is a switch and takes no value."),
        ("--output_config --seed=1", "output_config was left out: a run of kl has no use for it."),
        ("--output_name='a b'", "output_name: 'a b' is not a run's name: it has a space."),
        ("--vae=$V", "vae stands as a comment: V is not set in it."),
        ("--vae $V", "vae stands as a comment: V is not set in it."),
        ("--vae $(ls)", "vae stands as a comment: it is the output of a command."),
        ("--sdpa $V", "$V was left out: V is not set in it."),
        ("--network_args a=1 $V", "$V was left out: V is not set in it."),
        ("--output_name=$V", "output_name was left out: V is not set in it."),
        ("--config_file=$V", "config_file stands as a comment: V is not set in it."),
    ],
)
def test_what_is_said(arguments: str, said: str) -> None:
    assert spec(arguments)[1] == [said]


def test_a_configuration_file_is_extended(tmp_path: Path) -> None:
    found = imported("python train_network.py --config_file=/c/base --seed=1\n", OPTIONS)
    assert loads(found.text)["extends"] == "/c/base.toml"


def test_defaults_are_left_out_on_request() -> None:
    given = "--max_train_steps=1600 --network_alpha=1.0 --mixed_precision=no --learning_rate=2e-6 --seed=1"
    assert spec(given, without_defaults=True)[0] == "[training]\nseed = 1"
    assert len(spec(given)[0].splitlines()) > 5
    launched = "accelerate launch --num_processes=1 --num_machines 1 --cpu train_network.py\n"
    assert "[accelerate]\ncpu = true" in imported(launched, OPTIONS, without_defaults=True).text
    assert "num_processes = 1" in imported(launched, OPTIONS).text


def test_the_name_and_the_folder(tmp_path: Path) -> None:
    given = "--output_dir=/o/fox-v1s4 --output_name=fox-v1s4 --logging_dir=l"
    found = imported(f"python train_network.py {given}\n", OPTIONS)
    assert found.name == "fox-v1s4" and found.findings == ()
    plan = plan_of(tmp_path, found.text, options=OPTIONS, name="fox-v1s4")
    assert loads(found.text)["run"]["output_root"] == "/o" and plan.name == "fox-v1s4"
    other = imported("python train_network.py --output_dir=/o --output_name=fox-v1s4\n", OPTIONS)
    assert loads(other.text)["run"]["output_root"] == "/o"


def test_every_heading_is_one_of_those_that_are_ordered() -> None:
    names = ("network_dim", "vae", "resolution", "seed", "noise_offset", "sample_prompts", "save_state", "log_with")
    assert [heading_of(name) for name in names] == [
        "network", "model", "data", "training", "noise", "samples", "saving", "logging",
    ]  # fmt: skip
    assert {heading_of(name) for name in (*names, "whatever_comes")} <= set(HEADINGS)
