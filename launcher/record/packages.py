"""The packages of a training environment, read from their own metadata: nothing is imported, no process started."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from launcher.record.git import without_credentials
from launcher.record.installed_files import installed_files
from launcher.trainer.packages import normal_name

EDITABLE = "-e "  # before the folder of an editable installation, as in a requirements file
HASHED = frozenset({"lycoris-lora"})  # packages whose files are looked at: people edit them where they are installed
_ENOUGH = 1 << 16  # bytes of a METADATA that are read: the headers, of which two are wanted, come first
_URL = re.compile(r"[a-zA-Z][\w+.-]*://\S+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PackageRecord:
    """A package as it is installed.

    `source` is where it came from, as pip takes it, when that was no package index: "git+URL@COMMIT", the URL of an
    archive, "file:///FOLDER", "-e file:///FOLDER" when it is editable; without credentials. `sha256` is that of the
    archive it names, or for LyCORIS of its installed files, and `changed` are those that are not as they were
    installed.
    """

    name: str = ""
    version: str = ""
    source: str | None = None
    sha256: str | None = None
    changed: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name as package indexes compare it."""
        return normal_name(self.name)

    @property
    def editable(self) -> bool:
        """Whether it is imported from the folder that it was made in."""
        return (self.source or "").startswith(EDITABLE)

    @property
    def source_url(self) -> str:
        """Its source without what says that it is editable; "" for a package index."""
        return (self.source or "").removeprefix(EDITABLE)


@dataclass(frozen=True)
class TorchRecord:
    """What torch says of itself in torch/version.py: the CUDA or ROCm that it was built for."""

    version: str = ""
    cuda: str | None = None
    hip: str | None = None


def installed_packages(
    site: Iterable[Path], added: Iterable[Path] = ()
) -> tuple[tuple[PackageRecord, ...], tuple[str, ...]]:
    """The packages in these folders, by name, and what could not be read. Of two of one name the first counts.

    `added` are folders that a .pth file names.
    """
    found: dict[str, PackageRecord] = {}
    problems: list[str] = []
    own = dict.fromkeys(site)
    for root in dict.fromkeys((*own, *added)):
        here: dict[str, PackageRecord] = {}
        for entry in _metadata(root, problems):
            try:
                record = _package(entry, added=root not in own)
            except (OSError, ValueError) as error:
                problems.append(f"the package {entry}: {error}")
                continue
            first = here.setdefault(record.key, record)
            if first.version != record.version:
                problems.append(f"{record.name} is twice in {root}: {first.version} and {record.version}")
        found = {**here, **found}
    return tuple(sorted(found.values(), key=lambda record: record.key)), tuple(problems)


def _metadata(root: Path, problems: list[str]) -> list[Path]:
    """The metadata of each package in a folder. pip's "~name" is what it could not remove."""
    try:
        entries = sorted(root.iterdir()) if root.is_dir() else []
    except OSError as error:
        problems.append(f"the packages in {root}: {error.strerror}")
        return []
    return [each for each in entries if each.name.endswith((".dist-info", ".egg-info")) and each.name[0] != "~"]


def torch_in(roots: Iterable[Path]) -> TorchRecord | None:
    """What the first torch in these folders says of itself; None where there is none that says it."""
    for root in roots:
        try:
            tree = ast.parse((root / "torch" / "version.py").read_bytes())
        except (OSError, SyntaxError, ValueError, MemoryError, RecursionError):
            continue
        said = dict(_assigned(tree))
        if said.get("__version__"):
            return TorchRecord(said["__version__"], said.get("cuda"), said.get("hip"))
    return None


def _assigned(tree: ast.Module) -> Iterable[tuple[str, str]]:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        value = getattr(node, "value", None)
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield from ((target.id, value.value) for target in targets if isinstance(target, ast.Name))


def without_secrets(text: str) -> str:
    """A text with the URLs in it as `clean_url` gives them."""
    return _URL.sub(_cleaned, without_credentials(text))


def clean_url(url: str) -> str:
    """A URL without what may be a secret: name and password, query, fragment. ssh's plain `git@` stays, it is none."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    place = f"git@{host}" if user == "git" else host if at else parts.netloc
    return urlunsplit((parts.scheme, place, parts.path, "", ""))


def _cleaned(url: re.Match[str]) -> str:
    try:
        return clean_url(url[0])
    except ValueError:
        return "(a URL that cannot be read)"


def _package(information: Path, *, added: bool) -> PackageRecord:
    """The package that a folder (or, of distutils, a file) of metadata is about. Raises OSError, ValueError.

    `added` says that the folder it lies in is none of the environment's own, but named in a .pth file.
    """
    name, version = _name_and_version(information)
    source, sha256 = _source(information)
    changed: tuple[str, ...] = ()
    if source is None and added and information.name.endswith(".egg-info"):  # setup.py develop leaves no more
        source = EDITABLE + information.parent.as_uri()
    if normal_name(name) in HASHED and not PackageRecord(name, version, source).editable:
        sha256, changed = installed_files(information)
    return PackageRecord(name, version, source, sha256, changed)


def _name_and_version(information: Path) -> tuple[str, str]:
    stem = information.name.rpartition(".")[0]
    name, _, version = stem.partition("-")
    if information.is_dir():
        wanted = ("METADATA", "PKG-INFO")
        file = next((information / each for each in wanted if (information / each).is_file()), None)
    else:
        file = information
    headers = _headers(file) if file is not None else {}
    name, version = headers.get("name", name), headers.get("version", version)
    if not name or not version:
        raise ValueError("its name and version are not there")
    return name, version


def _headers(file: Path) -> dict[str, str]:
    with file.open("rb") as stream:
        text = stream.read(_ENOUGH).decode("utf-8", "replace")
    headers: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        key, colon, value = line.partition(":")
        if colon and value.strip():
            headers.setdefault(key.strip().lower(), value.strip())
    return headers


def _source(information: Path) -> tuple[str | None, str | None]:
    """Where the package came from by its direct_url.json, and the archive's hash. Raises OSError, ValueError.

    What conda's own builds leave there names a folder of the machine that built them.
    """
    file = information / "direct_url.json"
    if not information.is_dir() or not file.is_file() or _installer(information) == "conda":
        return None, None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("its direct_url.json cannot be read") from None
    if not isinstance(data, dict) or not isinstance(data.get("url"), str):
        raise ValueError("its direct_url.json names no URL")
    url = clean_url(data["url"])
    folder = data.get("subdirectory")
    inside = f"#subdirectory={folder}" if isinstance(folder, str) and folder else ""
    vcs = _table(data, "vcs_info")
    if vcs:
        commit = vcs.get("commit_id") or vcs.get("requested_revision")
        return f"{vcs.get('vcs') or 'git'}+{url}{f'@{commit}' if commit else ''}{inside}", None
    if _table(data, "dir_info").get("editable") is True:
        return f"{EDITABLE}{url}{inside}", None
    return f"{url}{inside}", _hash_of(_table(data, "archive_info"))


def _hash_of(archive: dict[str, object]) -> str | None:
    hashes = archive.get("hashes")
    value = hashes.get("sha256") if isinstance(hashes, dict) else None
    if value is None:  # as older pip wrote it
        value = str(archive.get("hash") or "").removeprefix("sha256=")
    return str(value) if _SHA256.fullmatch(str(value)) else None


def _table(data: dict[str, object], name: str) -> dict[str, object]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _installer(information: Path) -> str:
    try:
        return (information / "INSTALLER").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
