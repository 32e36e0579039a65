"""Where a value came from. Every value of a plan remembers it, and the messages say it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Source(str, Enum):
    """The kinds of places a value can come from, weakest first."""

    DEFAULT = "default"
    CONFIG = "config"  # the user's own configuration file
    DATASET_FOLDER = "dataset folder"
    TEMPLATE = "template"
    SPEC = "spec"
    NAME = "name"
    ENVIRONMENT = "environment"
    SET = "--set"
    ARGUMENT = "argument"  # after `--`
    KL = "kl"  # set by kl itself


@dataclass(frozen=True)
class Origin:
    """One place: a line of a file, an environment variable, a flag, the run's name.

    `label` is what a person reads without a line number: a file as it was named, "STEPS", "--set a=b".
    """

    source: Source
    label: str
    path: Path | None = None
    line: int | None = None

    @property
    def strength(self) -> int:
        """How strong the layer is that this belongs to: of two values the stronger one wins."""
        return list(Source).index(self.source)

    def __str__(self) -> str:
        return f"{self.label}:{self.line}" if self.line is not None else self.label
