"""`--set`s and arguments written as a spec plan the same as when they are typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from plan_bed import NEEDED, USUAL, plan_of, script

from launcher.plan.import_arguments import Around
from launcher.plan.typed_spec import write_typed
from launcher.spec.overrides import parse_set


def written(folder: Path, sets: Sequence[str], arguments: Sequence[str] = ()) -> str:
    around = Around("the command line", script(*USUAL), Path.cwd(), "/nobody")
    found = write_typed([parse_set(text) for text in sets], arguments, around, extends=folder / "base.toml")
    assert found.findings == ()
    return found.text


@pytest.mark.parametrize(
    ("sets", "arguments"),
    [
        (["network_dim=4"], []),
        (["network_dim=4"], ["--network_dim=8"]),
        (["network_args.a=1", "network_args.b=x"], ["--network_args", "b=y", "c=True"]),
        (['network_args=["a=1","b=1e-4"]'], []),
        (["network_args.a=1"], ["--network_args", "a=2"]),
        (["optimizer_args.betas=[0.9, 0.99]"], ["--optimizer_args", "betas=0.9,0.9"]),
        (["training.seed=3", "sdpa=true", "keep=false"], []),
        (["no_keep=true"], []),
        (["resume=state", "vae=./vae"], ["--base_weights", "a.pt", "/b.pt"]),
        (["betas=[1, 2e-3]", "learning_rate=1e-4"], ["--seed", "-1"]),
        (["run.keep_last_saves=2", "save_every_n_steps=10", "run.drop=[]"], []),
        (["env.variables.A=b"], ["--save_model_as=ckpt"]),
        (["run.notes='a \"b\"'", "accelerate.num_processes=1"], []),
    ],
)
def test_the_same_plan(tmp_path: Path, sets: list[str], arguments: list[str]) -> None:
    typed = plan_of(tmp_path, NEEDED, sets=sets, arguments=arguments)
    base = {"base.toml": (tmp_path / "fox.toml").read_text()}
    spec = plan_of(tmp_path, written(tmp_path, sets, arguments), templates=base)
    first, second = ([word for each in plan.arguments for word in each.words] for plan in (typed, spec))
    assert first == second
    assert (typed.variables, typed.notes) == (spec.variables, spec.notes)
    assert [each.words for each in typed.accelerate] == [each.words for each in spec.accelerate]


def test_kls_own_paths_are_made_whole(tmp_path: Path) -> None:
    sets = ["run.output_root=out", "run.sd_scripts=nightly", "run.repositories=['r']", "env.path=./v"]
    text = written(tmp_path, sets)
    here = Path.cwd()
    assert f'output_root = "{here}/out"' in text and f'repositories = ["{here}/r"]' in text
    assert 'sd_scripts = "nightly"' in text and f'path = "{here}/v"' in text  # the first is a name of the configuration


def test_a_dataset_of_the_command_line(tmp_path: Path) -> None:
    text = written(tmp_path, ['datasets=[{subsets=[{image_dir="/i"}]}]', 'sample_prompts=[{prompt="a fox"}]'])
    assert text.splitlines()[1:] == [
        'datasets = [{ subsets = [{ image_dir = "/i" }] }]',
        'sample_prompts = [{ prompt = "a fox" }]',
    ]
