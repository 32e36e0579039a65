"""A spec with everything it extends."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.nearest import nearest
from launcher.base.origin import Source
from launcher.base.settings import Setting
from launcher.spec.find import is_file_name, spec_in, spec_names
from launcher.spec.flatten import leaves
from launcher.spec.names import RunName
from launcher.spec.paths import expand
from launcher.spec.reader import Document, Parent, read_settings
from launcher.spec.source_file import file_label
from launcher.spec.tree import refused

DEEPEST_CHAIN = 16
MOST_DOCUMENTS = 64


@dataclass(frozen=True)
class Spec:
    """What the user wrote, whole.

    `documents` are the files, each once: what is extended comes before what extends it, the spec itself last.
    `settings` are theirs in the same order, so the later of two with one key wins.
    """

    name: RunName
    path: Path
    documents: tuple[Document, ...]
    settings: tuple[Setting, ...]


def load_spec(path: Path, name: RunName, *, template_folders: Sequence[Path]) -> Spec:
    """Read a spec and all that it extends, directly or not.

    A file that is reached on several ways counts once, where it is reached first: of two templates that share a base,
    the base never undoes what the first of them says. Raises KlError (spec refused) for a file that cannot be read, a
    template that is not there, and a circle.
    """
    chain = _Chain(template_folders)
    chain.add(path, read_settings(path), ())
    documents = tuple(chain.documents)
    return Spec(name=name, path=path, documents=documents, settings=tuple(_settings(documents)))


@dataclass
class _Chain:
    """The files collected so far, each by the real path it has."""

    template_folders: Sequence[Path]
    documents: list[Document] = field(default_factory=list)
    _done: set[str] = field(default_factory=set)

    def add(self, path: Path, document: Document, above: tuple[tuple[str, str], ...]) -> None:
        """Add what the document extends, then the document. `above` are the files on the way to it: path and label."""
        way = (*above, (os.path.realpath(path), document.label))
        for parent in document.extends:
            found, label = self._find(parent, document)
            real = os.path.realpath(found)
            if real in (seen for seen, _ in way):
                names = " → ".join([shown for _, shown in way] + [label or file_label(found)])
                raise _refused(parent, f"Files extend each other in a circle: {names}.", "Remove one of these extends.")
            if real in self._done:
                continue
            if len(way) >= DEEPEST_CHAIN:
                raise _refused(parent, f"More than {DEEPEST_CHAIN} files extend one another.", "Put some into one.")
            self.add(found, _read(found, label, parent), way)
        self._done.add(way[-1][0])
        self.documents.append(document)
        if len(self.documents) > MOST_DOCUMENTS:
            raise refused(f"More than {MOST_DOCUMENTS} files are extended.", way[0][1], hint="Put some into one.")

    def _find(self, parent: Parent, document: Document) -> tuple[Path, str | None]:
        """The file that an entry means, and its label when it is a template."""
        text = parent.value.strip()
        if is_file_name(text):
            return Path(expand(text, document.path.parent, origin=parent.origin)), None
        for folder in self.template_folders:
            # A template may extend the one of the same name that it stands before: it never means itself.
            found = spec_in(folder, text, code=ExitCode.SPEC_REFUSED, skip=document.path)
            if found:
                return found, f"template {text}"
        raise self._unknown(text, parent, document)

    def _unknown(self, text: str, parent: Parent, document: Document) -> KlError:
        names = spec_names(self.template_folders)
        near = nearest(text, names)
        beside = spec_in(document.path.parent, text, code=ExitCode.SPEC_REFUSED, skip=document.path)
        advice = []
        if beside:
            advice.append(f'For the file beside this one, write "{beside.name}".')
        elif near:
            advice.append(f"Did you mean {near}?")
        advice.append(f"There are: {', '.join(sorted(names))}." if names else "There are no templates.")
        return _refused(parent, f"There is no template {text!r}.", " ".join(advice))


def _read(path: Path, label: str | None, parent: Parent) -> Document:
    try:
        return read_settings(path, source=Source.TEMPLATE, label=label)
    except KlError as error:
        if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for what cannot be looked at
            raise
        # Nothing to point at in a file that is not there: point at who asks for it.
        raise _refused(parent, error.message, error.hint) from None


def _refused(parent: Parent, message: str, hint: str | None) -> KlError:
    return KlError(message, code=ExitCode.SPEC_REFUSED, where=str(parent.origin), hint=hint)


def _settings(documents: Sequence[Document]) -> Iterator[Setting]:
    has_datasets = any(setting.path == "datasets" for document in documents for setting in document.settings)
    for document in documents:
        for setting in document.settings:
            if setting.path == "general" and not has_datasets:
                yield from leaves((), setting.key, setting.value, document.lines, setting.origin)
            else:
                yield setting
