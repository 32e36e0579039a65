"""One mistake, one finding: where two checks come upon the same thing, the one that says more is enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from launcher.base.findings import Finding

# What is left out, by what says it better: of the same place, and of the run.
_OF_ONE_PLACE: Mapping[str, tuple[str, ...]] = {
    "learning-rate": ("optimizer-args-refused",),  # what is below 0
    "base-model-folder": ("base-model-family",),
}
_OF_THE_RUN: Mapping[str, tuple[str, ...]] = {
    "v-without-v2": ("base-model-v2", "v-prediction"),
    "zero-terminal-snr": ("v-prediction",),
}


def each_said_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings without those that another one says better."""
    every = list(findings)
    at = {(finding.code, finding.where) for finding in every}
    codes = {finding.code for finding in every}
    return tuple(
        finding
        for finding in every
        if not any((better, finding.where) in at for better in _OF_ONE_PLACE.get(finding.code, ()))
        and not codes & set(_OF_THE_RUN.get(finding.code, ()))
    )
