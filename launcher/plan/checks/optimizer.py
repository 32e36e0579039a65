"""The optimizer: that it can be made, of a package that is there, with arguments that it takes.

Everything is asked of the checkout's own get_optimizer and of the optimizer's own source.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from launcher.base.findings import Finding, Severity
from launcher.base.nearest import nearest
from launcher.plan.checks import optimizer_codes as codes
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.made_arguments import Codes, check_arguments
from launcher.plan.checks.optimizer_rates import check_rates
from launcher.plan.checks.trainer_arguments import asked_of, in_words, packages_are_known, trainer_file
from launcher.trainer import signatures
from launcher.trainer.following_values import Made, Refusal
from launcher.trainer.lookup import Absence, Definition, Kind, name_in_module, public_names
from launcher.trainer.optimizers import OptimizerReading, built_in_names, class_of, follow_optimizer

# Packages that bring optimizers, by the module that they are imported as.
PROJECTS = {
    "bitsandbytes": "bitsandbytes",
    "dadaptation": "dadaptation",
    "lion_pytorch": "lion-pytorch",
    "prodigyopt": "prodigyopt",
    "prodigyplus": "prodigy-plus-schedule-free",
    "pytorch_optimizer": "pytorch_optimizer",
    "schedulefree": "schedulefree",
    "transformers": "transformers",
}
_PLACES = (
    "torch.optim", "bitsandbytes.optim", "lion_pytorch", "dadaptation", "prodigyopt", "prodigyplus", "schedulefree",
    "pytorch_optimizer", "transformers.optimization",
)  # fmt: skip
_CODES = Codes(
    "optimizer_args", codes.BAD_VALUE, codes.UNKNOWN_KEY, codes.GIVEN_TWICE, codes.MISSING_ARGUMENT,
    codes.CONSTRUCTOR_REFUSES, codes.DOUBTFUL_VALUE,
)  # fmt: skip


def check_optimizer(candidate: Candidate) -> Iterator[Finding]:
    """Whether get_optimizer makes the optimizer, and what of its options has no effect."""
    if not candidate.has("optimizer_type"):
        return
    reading = follow_optimizer(trainer_file(candidate), asked_of(candidate))
    if reading is None:
        return
    refused = list(_refusals(candidate, reading))
    yield from refused
    if any(finding.hint for finding in refused):
        return  # the name is wrong; which package it needs is that of the right one
    missing = list(missing_modules(candidate, reading.walk.imports, "optimizer_type"))
    yield from missing
    if reading.made is None or missing:
        return
    found = class_of(candidate.packages, reading.made)
    if isinstance(found, Absence):
        yield from _no_class(candidate, reading.made, found)
        return
    if found.kind is Kind.MODULE:
        yield from _no_class(candidate, reading.made, Absence.NO_NAME)
        return
    yield from check_arguments(candidate, reading.made, reading.walk, _CODES, _place(candidate))
    yield from _closure(candidate, found)
    yield from check_rates(candidate, reading, found)


def _refusals(candidate: Candidate, reading: OptimizerReading) -> Iterator[Finding]:
    for refusal in reading.walk.refusals:
        if refusal.item is None:
            yield codes.REFUSED.at(
                _place(candidate), f"{_subject(candidate)} {in_words(refusal)}.", _advice(candidate, refusal)
            )


def _subject(candidate: Candidate) -> str:
    written = candidate.value("optimizer_type")
    return f"The trainer refuses optimizer_type {written}:" if written else "The trainer refuses these options:"


def _advice(candidate: Candidate, refusal: Refusal) -> str | None:
    """For a class of a package whose whole name begins as a family that the trainer knows by its short names."""
    written = str(candidate.value("optimizer_type") or "")
    short = written.rpartition(".")[2]
    known = nearest(short, built_in_names(trainer_file(candidate)))
    return f"Did you mean {known}?" if known and known != written and refusal.exception == "ValueError" else None


def _place(candidate: Candidate) -> str | None:
    for option in ("optimizer_type", "use_8bit_adam", "use_lion_optimizer"):
        if candidate.where(option):
            return candidate.where(option)
    return None


def missing_modules(candidate: Candidate, modules: list[str], option: str) -> Iterator[Finding]:
    """The modules that would be imported and are not there; one finding, for the first of them."""
    if not packages_are_known(candidate):
        return
    where = candidate.where(option) or _place(candidate)
    written = str(candidate.value(option) or "The optimizer")
    for module in modules:
        top = module.partition(".")[0]
        if not top.isidentifier():
            message = f"{written} cannot be the name of a class: write MODULE.CLASS."
            yield codes.UNKNOWN_OPTIMIZER.at(where, message, _class_hint(candidate, written))
            return
        if top in sys.stdlib_module_names or candidate.packages.find(module):
            continue
        if candidate.packages.find(top):
            message = (
                f"{written} needs the module {module}, which {top} of {candidate.environment.label} does not have."
            )
            yield codes.NO_CLASS.at(where, message, _class_hint(candidate, written))
        else:
            message = (
                f"{written} needs the package {top}, which is not in the environment {candidate.environment.label}."
            )
            yield codes.NO_PACKAGE.at(where, message, _install(candidate, top))
        return


def _install(candidate: Candidate, module: str) -> str:
    known = PROJECTS.get(module) or None
    close = None if known else nearest(module, PROJECTS)
    if close:
        return f"Did you mean {close}?"
    if known:
        return f"Install it: {candidate.environment.python} -m pip install {known}"
    return f"Install the package that {module} comes with into this environment, or correct the name."


def _no_class(candidate: Candidate, made: Made, absence: Absence) -> Iterator[Finding]:
    module, _, name = made.of.dotted.rpartition(".")
    written = str(candidate.value("optimizer_type") or "")
    if absence is Absence.OPEN:
        return
    if absence is Absence.NO_MODULE or not packages_are_known(candidate):
        if module == "torch.optim" and "." not in written:
            yield from _maybe_unknown(candidate, written)
        return
    hint = _class_hint(candidate, written)
    if "." not in written and written == name:
        message = f"There is no optimizer {name}: it is neither built in nor a class of {module}."
        yield codes.UNKNOWN_OPTIMIZER.at(_place(candidate), message, hint)
    else:
        version = candidate.packages.version(PROJECTS.get(module.partition(".")[0], module.partition(".")[0]))
        said = f" {version}" if version else ""
        message = f"There is no {name} in {module}{said} of the environment {candidate.environment.label}."
        yield codes.NO_CLASS.at(_place(candidate), message, hint)


def _maybe_unknown(candidate: Candidate, written: str) -> Iterator[Finding]:
    """Without the environment's packages only a name that is nearly a built-in one can be called wrong."""
    close = nearest(written, built_in_names(trainer_file(candidate)))
    if close:
        message = f"optimizer_type {written} is not built in; it would have to be a class of torch.optim."
        yield codes.UNKNOWN_OPTIMIZER.at(
            _place(candidate), message, f"Did you mean {close}?", severity=Severity.WARNING
        )


def _class_hint(candidate: Candidate, written: str) -> str | None:
    """The right name: one that is built in, the same class elsewhere, or one of the same module."""
    module, _, name = written.rpartition(".")
    if module:
        close = nearest(name, public_names(candidate.packages, module))
        if close:
            return f"Did you mean {module}.{close}?"
    names = (*built_in_names(trainer_file(candidate)), *public_names(candidate.packages, "torch.optim"))
    elsewhere = (place for place in _PLACES if _has(candidate, place, name))
    if name in names:
        return f"Did you mean {name}?"
    place = next(elsewhere, None)
    if place:
        return f"Did you mean {place}.{name}?"
    close = nearest(name, names)
    return f"Did you mean {close}?" if close else "Name a class with its module: MODULE.CLASS."


def _has(candidate: Candidate, module: str, name: str) -> bool:
    found = name_in_module(candidate.packages, module, name) if name.isidentifier() else None
    return isinstance(found, Definition) and found.kind is Kind.CLASS


def _closure(candidate: Candidate, found: Definition) -> Iterator[Finding]:
    if "closure" not in signatures.needed_by_method(candidate.packages, found, "step"):
        return
    method = signatures.find_method(candidate.packages, found, "step")
    tests = [node.test for node in ast.walk(method[1]) if isinstance(node, (ast.If, ast.IfExp))] if method else []
    # accelerate hands on None: an optimizer that looks at it can do without (accelerate/optimizer.py, step).
    if not any(isinstance(name, ast.Name) and name.id == "closure" for test in tests for name in ast.walk(test)):
        message = f"{found.name} asks for a closure in every step, and the trainer gives none."
        yield codes.NEEDS_CLOSURE.at(_place(candidate), message, "Choose another optimizer.")
