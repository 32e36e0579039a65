"""What `kl setup` will do and has done, as text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from launcher.cli.render import short
from launcher.cli.render_doctor import diagnoses_as_text
from launcher.record.packages import without_secrets
from launcher.setup.doctor.diagnosis import Diagnosis, Status
from launcher.setup.doctor.folders import nearest_existing
from launcher.setup.facts import Facts
from launcher.setup.step import Name, Step
from launcher.setup.wishes import NAME, Wishes

_NEEDS = {Name.TORCH: 6_000_000_000, Name.REQUIREMENTS: 2_000_000_000}  # bytes, with CUDA; nothing to rely on


def steps_as_text(steps: Sequence[Step], facts: Facts) -> Iterator[str]:
    """A line for each step, with the reason; and the commands of those that are still to be done."""
    for step in steps:
        if step.done is not None:
            yield f"{'done':<6}{step.name.value:<14} {_shorter(step.done)}"
            continue
        why = f" ({_shorter(step.why)})" if step.why else ""
        yield f"{'to do':<6}{step.name.value:<14} {_shorter(without_secrets(step.says))}{why}"
        for note in step.notes:
            yield f"{'':<21}{note}"
        for command in step.ways[0].commands if step.ways else ():
            yield f"{'':<21}{_words(command.argv)}"
        for way in step.ways[1:]:
            yield f"{'':<21}else {way.says or 'another way'}"
    if all(step.done is not None for step in steps):
        yield "Nothing is left to do."
        return
    if facts.machine.other_gpus:
        yield f"{facts.machine.other_gpus[0]}: torch has a build for it under --cuda rocm… with --torch-index."
    needed = sum(_NEEDS.get(step.name, 0) for step in steps if step.done is None)
    free = shutil.disk_usage(nearest_existing(facts.environment.folder)).free
    if needed and free < needed:
        yield f"It may need {needed / 1e9:.0f} GB, and {free / 1e9:.1f} GB are free on the disk of the environment."


def result_as_text(wishes: Wishes, facts: Facts) -> Iterator[str]:
    """What is there now, and what to type next."""
    checkout, environment = facts.checkout, facts.environment
    torch = environment.packages.get("torch", "none")
    version = ".".join(map(str, environment.version or ()))
    lycoris = environment.packages.get("lycoris-lora", "none")
    yield f"sd-scripts   {short(checkout.folder)} at {(checkout.commit or '')[:12]}"
    yield (
        f"environment  {short(environment.folder)}: Python {version}, torch {torch} ({environment.build}), "
        f"lycoris_lora {lycoris}"
    )
    asked = wishes.cuda if wishes.cuda not in (None, "auto") else None
    if asked and environment.build != asked:
        yield f"  torch is a build for {environment.build}: no index that was asked has one for {asked}."
    elsewhere = "" if wishes.name == NAME else f" (--name {wishes.name})"
    yield f"Next: kl launch NAME. Newer sd-scripts: kl setup --update{elsewhere}; and back: --back."


def checks_as_text(found: Sequence[Diagnosis]) -> Iterator[str]:
    """What the doctor has to say against it; nothing when that is nothing."""
    wrong = [each for each in found if each.status is not Status.FINE]
    if wrong:
        yield from diagnoses_as_text(wrong, shutil.get_terminal_size((100, 24)).columns)


def _words(argv: Sequence[str]) -> str:
    """A command as a person reads it: without the program that a -c holds."""
    import shlex

    words = [f"{word.splitlines()[0]} …" if "\n" in word else word for word in argv]
    return _shorter(without_secrets(" ".join(shlex.quote(word) for word in words)))


def _shorter(text: str) -> str:
    """The home folder as ~."""
    home = str(Path.home())
    return text.replace(f"{home}/", "~/")
