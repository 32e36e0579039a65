"""Runs to be checked, made for one test: a spec, the options of a script, the files of checkout and environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from plan_bed import ingredients_of, script

from launcher.plan.build import build_plan
from launcher.plan.checks.candidate import Candidate
from launcher.trainer.checkout import open_checkout
from launcher.trainer.options import Option
from launcher.trainer.reader import read_options


def candidate_of(
    folder: Path,
    text: str,
    *options: Option,
    name: str = "fox-v1s100",
    sources: Mapping[str, str] | None = None,
    packages: Mapping[str, str] | None = None,
    script_file: str = "train_network.py",
    environ: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
) -> Candidate:
    """The run that the spec `text` (the file fox.toml in `folder`) describes, for a script that has `options`.

    `sources` are files of the checkout ("networks/lora.py"), `packages` files below its site-packages; both are
    written below `folder`. The spec's own lines are counted from 1, as in `candidate.where`.
    """
    checkout, site = folder / "checkout", folder / "site-packages"
    for root, files in ((checkout, sources or {}), (site, packages or {})):
        root.mkdir(exist_ok=True)
        for file, content in files.items():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(content, encoding="utf-8")
    path = folder / "fox.toml"
    path.write_text(text, encoding="utf-8")
    given = ingredients_of(
        path, name=name, options=script(*options), environ=environ, arguments=arguments, checkout=checkout,
        script_file=script_file, site=(site,),
    )  # fmt: skip
    return build_plan(given)[1]


def real_candidate(
    folder: Path, text: str, checkout: Path, site: Sequence[Path], script_file: str = "train_network.py"
) -> Candidate:
    """The same for a script of a checkout that is really there, with the options that it really has."""
    path = folder / "fox.toml"
    path.write_text(text, encoding="utf-8")
    options = read_options(open_checkout(checkout), script_file, cache=folder / "cache")
    given = ingredients_of(path, options=options, checkout=checkout, script_file=script_file, site=site)
    return build_plan(given)[1]
