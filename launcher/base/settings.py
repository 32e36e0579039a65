"""A setting: one value somebody wrote, under one key, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from launcher.base.origin import Origin

Scalar = str | int | float | bool
Value = Union[Scalar, None, list["Value"], dict[str, "Value"]]  # noqa: UP007 - `|` takes no name that is still to come


@dataclass(frozen=True)
class Setting:
    """One key with its value and where it was written.

    `table` is the path of table names it stood under: headings, kl's own tables (`run`, `env`, `accelerate`),
    or an option that takes key=value items (`network_args`).
    """

    table: tuple[str, ...]
    key: str
    value: Value
    origin: Origin

    @property
    def path(self) -> str:
        """The dotted path, as `--set` takes it."""
        return ".".join((*self.table, self.key))
