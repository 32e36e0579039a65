"""What is not the same in two environments. What one of them has not recorded is no difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from launcher.record.environment import EnvironmentRecord
from launcher.record.machine import GpuRecord
from launcher.record.packages import PackageRecord
from launcher.record.variables import PLACES

# Packages that no training imports: they put others in place, or are kl itself.
NOT_TRAINING = frozenset({"pip", "uv", "wheel", "kohya-launcher"})


@dataclass(frozen=True)
class EnvironmentDifference:
    """One thing that differs; None: it is not there. `kind`: python, packages, hardware, system or variables."""

    kind: str
    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"{self.name}: {self.before or 'not there'} → {self.after or 'not there'}"


def differences_of(before: EnvironmentRecord, after: EnvironmentRecord) -> tuple[EnvironmentDifference, ...]:
    """What differs, sorted by kind and name. Where something lies is no difference, nor are pip, uv and kl itself."""
    return (
        *_values("python", {"python": (_python(before), _python(after))}),
        *_packages(before, after),
        *_values(
            "hardware",
            {
                "GPUs": (_gpus(before), _gpus(after)),
                "processor": (before.processor, after.processor),
                "processors": (_text(before.processors), _text(after.processors)),
                "memory": (_memory(before.memory), _memory(after.memory)),
            },
        ),
        *_values(
            "system",
            {
                "driver": (before.driver, after.driver),
                "CUDA of the driver": (before.cuda_of_driver, after.cuda_of_driver),
                "system": (before.system, after.system),
                "host": (before.host, after.host),
            },
        ),
        *_variables(before, after),
    )


def _values(kind: str, values: dict[str, tuple[str | None, str | None]]) -> Iterator[EnvironmentDifference]:
    for name, (before, after) in values.items():
        if before is not None and after is not None and before != after:
            yield EnvironmentDifference(kind, name, before, after)


def _packages(before: EnvironmentRecord, after: EnvironmentRecord) -> Iterator[EnvironmentDifference]:
    if before.packages and after.packages:
        old = {package.key: package for package in before.packages if package.key not in NOT_TRAINING}
        new = {package.key: package for package in after.packages if package.key not in NOT_TRAINING}
        for key in sorted({*old, *new}):
            yield from _package(old.get(key), new.get(key))
    if before.torch and after.torch:
        yield from _values("packages", {"torch's build": (_build(before), _build(after))})
    if before.conda and after.conda:
        gone, come = set(before.conda) - set(after.conda), set(after.conda) - set(before.conda)
        yield from (EnvironmentDifference("packages", f"conda {name}", name, None) for name in sorted(gone))
        yield from (EnvironmentDifference("packages", f"conda {name}", None, name) for name in sorted(come))


def _package(old: PackageRecord | None, new: PackageRecord | None) -> Iterator[EnvironmentDifference]:
    if old is None or new is None:
        one = old or new or PackageRecord()
        yield EnvironmentDifference("packages", one.name, old.version if old else None, new.version if new else None)
        return
    same_source = _content(old) == _content(new)
    if old.version != new.version or not same_source:
        before, after = (package.version if same_source else _with_source(package) for package in (old, new))
        yield EnvironmentDifference("packages", old.name, before, after)
    elif old.sha256 and new.sha256 and old.sha256 != new.sha256:
        yield EnvironmentDifference("packages", old.name, _with_files(old), _with_files(new))


def _content(package: PackageRecord) -> str:
    """What a package's source says of its content: of a folder or a file nothing but its kind and name."""
    source = package.source_url
    if package.editable:
        return "editable"
    if not source.startswith("file:"):
        return source
    return PurePosixPath(unquote(urlsplit(source).path)).name if source.endswith((".whl", ".gz", ".zip")) else "folder"


def _with_source(package: PackageRecord) -> str:
    return f"{package.version} from {package.source or 'a package index'}"


def _with_files(package: PackageRecord) -> str:
    changed = f", changed: {', '.join(package.changed)}" if package.changed else ""
    return f"{package.version} (sha256 {str(package.sha256)[:12]}{changed})"


def _variables(before: EnvironmentRecord, after: EnvironmentRecord) -> Iterator[EnvironmentDifference]:
    for name in sorted({*before.variables, *after.variables} - PLACES):
        old, new = before.variables.get(name), after.variables.get(name)
        if old != new:
            yield EnvironmentDifference("variables", name, old, new)


def _python(record: EnvironmentRecord) -> str | None:
    python = record.python
    return f"{python.implementation or 'Python'} {python.version}" if python.version else None


def _build(record: EnvironmentRecord) -> str | None:
    torch = record.torch
    if torch is None:
        return None
    built_for = f"CUDA {torch.cuda}" if torch.cuda else f"ROCm {torch.hip}" if torch.hip else "CPU"
    return f"{torch.version} for {built_for}"


def _gpus(record: EnvironmentRecord) -> str:
    found = Counter(_gpu(gpu) for gpu in record.gpus)
    return ", ".join(f"{number} × {name}" if number > 1 else name for name, number in found.items()) or "none"


def _gpu(gpu: GpuRecord) -> str:
    return f"{gpu.name} ({_memory(gpu.memory)})" if gpu.memory else gpu.name


def _memory(size: int | None) -> str | None:
    return f"{size / (1 << 30):.0f} GiB" if size is not None else None


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
