"""What the doctor looks at: the checkout, the environment and the folders that a training would use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launcher.setup.doctor.diagnosis import Diagnosis


@dataclass(frozen=True)
class Installation:
    """What a training would use; None is left out.

    `checkout` is a folder and `python` an interpreter; neither need be there, or be what it should. `script` is the
    training script, when it is known which. The training gets `variables` besides this process's own, but none of
    `unset`; `options` are those of the trainer that a spec sets. `dataset_folder` is that of a run, `datasets_root`
    the folder where datasets stand. `output_root_configured` is False where a spec or a variable names that folder,
    which is stronger than the configuration. `problems` say what is left out, and why.
    """

    checkout: Path | None = None
    python: Path | None = None
    output_root: Path | None = None
    output_root_configured: bool = True
    datasets_root: Path | None = None
    dataset_folder: Path | None = None
    script: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    unset: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    problems: tuple[Diagnosis, ...] = ()

    @property
    def environ(self) -> Mapping[str, str]:
        """The whole environment of a training."""
        return {**{name: text for name, text in os.environ.items() if name not in self.unset}, **self.variables}
