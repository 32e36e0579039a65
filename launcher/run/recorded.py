"""The plan of a run as it was launched, from its manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.base.settings import Value
from launcher.plan.plan import Argument, Item, Outputs, Plan, Trainer, TrainingEnvironment
from launcher.plan.resume import in_another_folder
from launcher.record.manifest import Manifest, OptionRecord

_LAUNCH = ("-m", "accelerate.commands.launch")


def recorded_plan(directory: Path, manifest: Manifest) -> Plan:
    """The plan with which the run in `directory` was launched: its command, word by word, and nothing of today.

    Raises KlError (environment not ready) when the manifest holds no such command.
    """
    accelerate, words = _split(directory, manifest)
    options = {(option.command, option.name): option for option in manifest.options}
    accelerate_arguments = tuple(_arguments(accelerate, options, "accelerate"))
    arguments = tuple(_arguments(words, options, "trainer"))
    before = next((each.value for each in arguments if each.name == "output_dir"), None)
    if isinstance(before, str) and before != str(directory):
        moved = [
            tuple(in_another_folder(argument, Path(before), directory) for argument in each)
            for each in (accelerate_arguments, arguments)
        ]
        accelerate_arguments, arguments = moved
    trainer = manifest.trainer
    spec = next((file.source for file in manifest.files if file.name.startswith("spec.") and file.source), None)
    return Plan(
        name=manifest.name or directory.name,
        directory=directory,
        spec=Path(spec) if spec else directory / "spec.toml",
        trainer=Trainer(Path(trainer.checkout), trainer.commit, trainer.script),
        environment=TrainingEnvironment("python", manifest.python, Path(manifest.python), {}),
        accelerate=accelerate_arguments,
        arguments=arguments,
        variables=dict(manifest.variables or {}),
        files=(),
        outputs=Outputs(manifest.final, (), (), states=True, samples=False),
        steps=manifest.steps,
        notes=manifest.notes,
        keep_failed=True,
        findings=(),
    )


def _split(directory: Path, manifest: Manifest) -> tuple[Sequence[str], Sequence[str]]:
    """accelerate's words and the trainer's: the script stands between them."""
    python, *words = manifest.argv or ("",)
    script = manifest.trainer.script
    if python and tuple(words[:2]) == _LAUNCH and script and script in words[2:]:
        rest = words[2:]
        place = rest.index(script)
        return rest[:place], rest[place + 1 :]
    message = f"The manifest of {directory.name} holds no command that could be given again."
    raise KlError(message, code=ExitCode.ENVIRONMENT_NOT_READY, where=str(directory / "run.json"))


def _arguments(words: Sequence[str], options: dict[tuple[str, str], OptionRecord], command: str) -> Iterator[Argument]:
    groups: list[list[str]] = []
    for word in words:
        if word.startswith("--") or not groups:
            groups.append([word])
        else:
            groups[-1].append(word)
    for group in groups:
        name, equals, text = group[0].removeprefix("--").partition("=")
        record = options.get((command, name))
        given: Value = text if equals else [*group[1:]] or True
        value: Value = record.value if record else given
        yield Argument(name, tuple(group), value, _origin(record), items=tuple(_items(group[1:], record)))


def _items(words: Sequence[str], record: OptionRecord | None) -> Iterator[Item]:
    """Each key=value item with its own place."""
    for word in words:
        key, equals, text = word.partition("=")
        if record is not None and equals and key in record.items:
            yield Item(key, text, text, replace(_origin(record), label=str(record.items[key])))


def _origin(record: OptionRecord | None) -> Origin:
    if record is None:
        return Origin(Source.KL, "run.json")
    try:
        return Origin(Source(record.origin), record.where)
    except ValueError:  # of a newer kl
        return Origin(Source.KL, record.where)
