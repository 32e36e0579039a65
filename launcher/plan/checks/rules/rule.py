"""What a rule between options is, and how rules are put to a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from launcher.base.findings import Code, Finding, Severity
from launcher.plan.checks.candidate import Candidate
from launcher.trainer.source_text import Evidence


@dataclass(frozen=True)
class Said:
    """What a rule has to say about a run. `option` is the one to point at, else the rule's first one that is set.

    `place` is where it stands when that is none of the rule's options: in a dataset config, or under [accelerate].
    `severity` where this case is milder than the rule's usual one.
    """

    message: str
    hint: str | None = None
    option: str | None = None
    severity: Severity | None = None
    place: str | None = None


Judge = Callable[[Candidate], Said | None]


@dataclass(frozen=True)
class Rule:
    """One rule. It is silent where the script lacks one of `options`, or the checkout says none of `evidence`.

    A rule without `evidence` rests on the options alone, or is kl's own.
    """

    code: Code
    options: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    judge: Judge


def rule(
    name: str, severity: Severity, reason: str, source: str, *evidence: Evidence, options: tuple[str, ...]
) -> Callable[[Judge], Rule]:
    """Make a function a rule: `reason` and `source` are those of its Code, any one of `evidence` is enough."""

    def made(judge: Judge) -> Rule:
        return Rule(Code(name, severity, reason, source), options, evidence, judge)

    return made


def apply_rules(rules: Iterable[Rule], candidate: Candidate) -> Iterator[Finding]:
    """What the rules have to say about a run."""
    for each in rules:
        if not all(candidate.has(option) for option in each.options):
            continue
        # The judge first: it is quick, and most have nothing to say.
        said = each.judge(candidate)
        if said and (not each.evidence or any(candidate.says(evidence) for evidence in each.evidence)):
            where = candidate.where(said.option) if said.option else _first_place(each, candidate)
            yield each.code.at(said.place or where, said.message, said.hint, severity=said.severity)


def _first_place(each: Rule, candidate: Candidate) -> str | None:
    return next((place for option in each.options if (place := candidate.where(option))), None)
