"""The plan: a run fully resolved. Pure data; launching it adds nothing to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launcher.base.findings import Finding, Severity
from launcher.base.origin import Origin
from launcher.base.settings import Setting, Value


@dataclass(frozen=True)
class TrainingEnvironment:
    """The interpreter that trains, and what its activation would do.

    `variables` are set, `unset` taken away. `secrets` are set too, and never shown or written down. `problems` are
    what of the activation did not work. `chosen` says why it is this one when nobody named any: "active".
    """

    kind: str  # conda, venv or python
    label: str  # how a person names it: the environment's name or folder
    python: Path
    variables: Mapping[str, str]
    unset: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    problems: tuple[str, ...] = ()
    chosen: str = ""


@dataclass(frozen=True)
class Item:
    """One key=value item of an option such as network_args; `text` is the value as the trainer gets it."""

    key: str
    value: Value
    text: str
    origin: Origin


@dataclass(frozen=True)
class Argument:
    """One option on its way to a command line: its words, its value, and where the value came from.

    `over` are weaker settings that this one replaced, the strongest first. An option of key=value items has them in
    `items`, each with its own origin; `origin` is then that of the strongest.
    """

    name: str
    words: tuple[str, ...]
    value: Value
    origin: Origin
    over: tuple[Setting, ...] = ()
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class PlannedFile:
    """A file that the run directory starts with. `source` is the file it copies, when it copies one."""

    name: str
    content: bytes
    origin: Origin
    source: Path | None = None


@dataclass(frozen=True)
class Outputs:
    """What the trainer will leave in the run directory, by its own naming rules (library/train_util.py).

    `final` are the names the final model may have: any one of them makes the run succeed. `checkpoints` are the
    models saved on the way whose names are known beforehand; `kept` those of them that stay at the end.
    `states` says whether training states are saved.
    """

    final: tuple[str, ...]
    checkpoints: tuple[str, ...]
    kept: tuple[str, ...]
    states: bool
    samples: bool


@dataclass(frozen=True)
class Trainer:
    """The code that trains: a checkout, the commit it stands at, and the script in it."""

    checkout: Path
    commit: str | None
    script: str


@dataclass(frozen=True)
class Plan:
    """Everything about a run before it starts."""

    name: str
    directory: Path
    spec: Path
    trainer: Trainer
    environment: TrainingEnvironment
    accelerate: tuple[Argument, ...]
    arguments: tuple[Argument, ...]
    variables: Mapping[str, str]  # set for the trainer, over what kl itself was started with
    files: tuple[PlannedFile, ...]
    outputs: Outputs
    steps: int | None
    notes: str
    keep_failed: bool  # NO_CLEAN: a failed run without artifacts stays
    findings: tuple[Finding, ...]
    allowed: tuple[Finding, ...] = ()  # those that the user lets through
    stop_on_nan: bool = False  # end the training when its loss is nan or inf
    auto_resume: bool = False  # go on once from a newer state when the training crashes
    repositories: tuple[Path, ...] = ()  # others whose state is recorded
    goes_on: bool = False  # also in a directory that `kl record` has made for it
    save_bytes: int | None = None  # what one save on the way takes with its state, as estimated

    @property
    def argv(self) -> tuple[str, ...]:
        """The command, word by word, to be started in the checkout's folder."""
        launch = (str(self.environment.python), "-m", "accelerate.commands.launch")
        flags = tuple(word for argument in self.accelerate for word in argument.words)
        words = tuple(word for argument in self.arguments for word in argument.words)
        return (*launch, *flags, self.trainer.script, *words)

    def environ(self, outside: Mapping[str, str]) -> dict[str, str]:
        """All variables of the trainer, when kl itself has those `outside`."""
        kept = {name: value for name, value in outside.items() if name not in self.environment.unset}
        return {**kept, **self.environment.secrets, **self.environment.variables, **self.variables}

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings for which the plan must not be launched."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)
