"""A run that is being checked: everything the checks may look at, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from launcher.base.errors import KlError
from launcher.plan.blueprint import Blueprint
from launcher.plan.paths import with_whole_paths
from launcher.plan.plan import Argument, Item, PlannedFile, Trainer, TrainingEnvironment
from launcher.plan.resolve import Chosen, Resolved
from launcher.plan.tables import RunTable
from launcher.plan.values import as_parsed
from launcher.spec.names import RunName
from launcher.trainer.options import ScriptOptions
from launcher.trainer.packages import Packages
from launcher.trainer.source_text import Evidence, SourceText


@dataclass(frozen=True)
class Candidate:
    """What is known of a run before it starts.

    `source` is the text of the checkout's files, `packages` where the trainer will import from. `files` are the
    dataset config and the sample prompts, by their option, as the trainer will read them. `accelerate` are the flags
    of `accelerate launch`. `environ` is the environment that the trainer will inherit. `blueprint` is what it trains
    on; None when there is no dataset config, or none that could be understood. `meant` is `resolved` with
    misspelt keys under the names that were most likely meant; None where nothing is misspelt.
    """

    name: RunName
    run: RunTable
    resolved: Resolved
    options: ScriptOptions
    trainer: Trainer
    source: SourceText
    environment: TrainingEnvironment
    packages: Packages
    accelerate: tuple[Argument, ...]
    files: Mapping[str, PlannedFile]
    directory: Path
    environ: Mapping[str, str]
    blueprint: Blueprint | None = None
    meant: Resolved | None = None

    def has(self, option: str) -> bool:
        """Whether the script has an option of this name."""
        return self.options.get(option) is not None

    def chosen(self, option: str) -> Chosen | None:
        """The option with the value somebody chose; None where it is left at its default."""
        return self.resolved.get(option)

    def value(self, option: str) -> Any:
        """What the trainer's `args.NAME` will hold: the chosen value in the option's type, else its default.

        None for an option that the script does not have, and for a value that its parser would refuse.
        """
        chosen = self.chosen(option)
        if chosen:
            return as_parsed(chosen.option, chosen.setting.value)
        known = self.options.get(option)
        return known.default if known else None

    def items(self, option: str) -> Mapping[str, Item]:
        """The key=value items of an option such as network_args, by key."""
        chosen = self.chosen(option)
        return {item.key: item for item in chosen.items} if chosen else {}

    def path(self, option: str) -> Path | None:
        """The path that an option names, made whole; None when it names none, or a hub id."""
        chosen = self.chosen(option)
        if chosen is None:
            return None
        try:
            whole = with_whole_paths(chosen.option, chosen.setting)
        except KlError:
            return None  # a finding of the plan already
        return Path(whole) if isinstance(whole, str) and Path(whole).is_absolute() else None

    def says(self, evidence: Evidence) -> bool:
        """Whether the checkout says what a rule rests on. The file "{script}" stands for the training script."""
        file = evidence.file.replace("{script}", self.trainer.script)
        return self.source.says(replace(evidence, file=file))

    def where(self, option: str) -> str | None:
        """Where the option's value was written: "FILE:LINE" or a flag; None where it is left at its default."""
        chosen = self.chosen(option)
        return str(chosen.setting.origin) if chosen else None
