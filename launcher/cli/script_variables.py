"""The variables of a training script: which dataset, how many steps, where the run goes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.base.errors import KlError
from launcher.base.settings import Setting
from launcher.plan.outputs import DEFAULT_STEPS
from launcher.plan.tables import RUN, written_path
from launcher.run.roots import DEFAULT_OUTPUT_ROOT
from launcher.setup.user_config import read_user_config
from launcher.spec.environment import from_environment
from launcher.spec.find import dataset_folder
from launcher.spec.names import RunName, parse_name


@dataclass(frozen=True)
class ScriptVariables:
    """What `setup_training_vars` sets; its paths are whole. `training_dir` need not be there.

    `steps_known` is False where neither the name nor STEPS says them: then they are what the trainer does by itself.
    """

    name: RunName
    dataset_name: str
    training_dir: Path
    steps: int
    steps_known: bool
    output_dir: Path

    @property
    def directory(self) -> Path:
        """The run directory."""
        return self.output_dir / self.name.text


def script_variables(name: str, environ: Mapping[str, str] = os.environ) -> ScriptVariables:
    """The variables of a run of this name, each as it is set already or else by the name and kl's configuration.

    Raises KlError (wrong usage) for a bad name and a STEPS that is no number, and for a configuration that cannot be
    read.
    """
    parsed = parse_name(name)
    config = read_user_config()
    settings = {each.path: each for each in (*config.settings, *from_environment(environ))}
    found = dataset_folder(parsed, config.datasets_root)
    steps = settings.get("max_train_steps")
    known = steps.value if steps else parsed.steps
    return ScriptVariables(
        name=parsed,
        dataset_name=environ.get("DATASET_NAME") or (found.name if found else parsed.dataset),
        training_dir=_path(settings, "dataset_folder") or found or config.datasets_root / parsed.dataset,
        steps=known if isinstance(known, int) else DEFAULT_STEPS,
        steps_known=known is not None,
        output_dir=_path(settings, "output_root") or Path(DEFAULT_OUTPUT_ROOT).expanduser(),
    )


def _path(settings: Mapping[str, Setting], key: str) -> Path | None:
    setting = settings.get(f"{RUN}.{key}")
    return written_path(setting) if setting else None


def has_prompts(name: str) -> bool:
    """Whether a spec of this name would take sample prompts from its dataset's folder. False for a bad name."""
    try:
        return os.path.lexists(script_variables(name).training_dir / "sample-prompts.txt")
    except KlError:
        return False
