"""The network module of a run, as its checks look at it, and what all of them have to say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from launcher.base.findings import Code, Severity
from launcher.trainer.packages import ModuleFile, Packages
from launcher.trainer.source_text import SourceText

REFUSED = Code(
    "network-arg-refused",
    Severity.ERROR,
    "The module fails on this value when it makes the network, after the model is loaded and the pictures are cached.",
    "create_network of the network module",
)
IGNORED = Code(
    "network-arg-ignored",
    Severity.WARNING,
    "The module takes the item but makes nothing of it, or not what was written.",
    "create_network of the network module",
)
SWITCH = Code(
    "network-arg-not-as-written",
    Severity.ERROR,
    "Values reach the module as text. It knows one spelling of true or of false only, and takes every other for the "
    "opposite.",
    "create_network of the network module",
)


@dataclass(frozen=True)
class NetworkModule:
    """A network module found: its dotted name, its file, the function of it that the trainer will call."""

    dotted: str
    found: ModuleFile
    function: str
    packages: Packages
    cache: Path | None = None  # where readings are kept; None for the user's own folder

    @cached_property
    def source(self) -> SourceText:
        """The text of the files below the folder that the module was found from."""
        return SourceText(self.found.root)

    @cached_property
    def name(self) -> str:
        """The module with the version of its package: "lycoris.kohya 4.1.3"."""
        version = version_of(self.packages, self.dotted) if self.found.root != self.packages.checkout else None
        return f"{self.dotted} {version}" if version else self.dotted


def version_of(packages: Packages, dotted: str) -> str | None:
    """The version of the distribution that most likely holds a module."""
    first = dotted.partition(".")[0]
    return packages.version("lycoris_lora" if first == "lycoris" else first)


def short(text: str) -> str:
    """A value as a message quotes it."""
    return repr(text if len(text) <= 60 else f"{text[:57]}…")
