"""The plan of a spec file, for tests that hold a spec against a checkout's options and nothing else."""

from __future__ import annotations

from pathlib import Path

from launcher.base.places import shipped_folder
from launcher.plan.build import Ingredients, build_plan
from launcher.plan.plan import Plan, Trainer, TrainingEnvironment
from launcher.plan.tables import read_own_tables
from launcher.spec.environment import from_name
from launcher.spec.load import load_spec
from launcher.spec.names import parse_name
from launcher.trainer.checkout import open_checkout
from launcher.trainer.options import ScriptOptions
from launcher.trainer.packages import Packages
from launcher.trainer.reader import read_options


def plan_of(spec: Path, name: str, checkout: Path, cache: Path) -> tuple[Plan, ScriptOptions]:
    """The plan of `spec`, and the options of its script in `checkout`. The environment is made up."""
    loaded = load_spec(spec, parse_name(name), template_folders=[shipped_folder("templates")])
    tables = read_own_tables(loaded.settings)
    opened = open_checkout(checkout)
    assert tables.run.script is not None, "the spec names its script"
    options = read_options(opened, tables.run.script, cache=cache)
    plan, _ = build_plan(
        Ingredients(
            spec=loaded,
            settings=(*loaded.settings, *from_name(loaded.name)),
            tables=tables,
            trainer=Trainer(opened.path, opened.commit, tables.run.script),
            options=options,
            scripts_with=lambda _: (),
            accelerate_options=None,
            environment=TrainingEnvironment("python", "python", Path("/usr/bin/python3"), {}),
            output_root=Path("/output"),
            packages=Packages(opened.path, ()),
            dataset_folder=None,
            environ={},
            cores=2,
            free_port=lambda: 12345,
        )
    )
    return plan, options
