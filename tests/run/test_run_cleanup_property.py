"""Whatever stands in a run directory: clean-up takes all of it or nothing, and never anything outside."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.base.files import sha1_of, sha256_of
from launcher.record.manifest import MANIFEST, Attempt, FileRecord, Manifest, manifest_bytes
from launcher.run import clean as clean_module
from launcher.run.clean import clean
from launcher.run.find import FoundRun

NAME = "fox-v1s4"
NOBODY = 65534
CONFIG = b"[general]\n"
RUN = Manifest(
    name=NAME,
    outcome="failed",
    variables={},
    files=(FileRecord("config.toml", sha256=sha256_of(CONFIG)),),
    final=(f"{NAME}.safetensors",),
    attempts=(Attempt(started="2026-01-01T00:00:00+00:00", ended="2026-01-01T00:01:00+00:00", exit_code=1,
                      outcome="failed", log="sdscripts.log"),),
)  # fmt: skip
EVENTS = "events.out.tfevents.1.host"
THROW_AWAY = {
    "config.toml": CONFIG, ".run.json.x.partial": b"{", "repos.git": b"", "sdscripts.log": b"a log",
    f"logs/20260101/network_train/{EVENTS}": b"x", "logs/20260101/hparams.yml": b"x",
}  # fmt: skip

SPEC = b"[network]\n"
REPOSITORIES = (
    f"/sd-scripts: (main) {'a' * 40}\n/specs/fox.toml: {sha1_of(SPEC)}\n/data/config.toml: {sha1_of(CONFIG)}\n"
)


@dataclass(frozen=True)
class Node:
    """Something in a tree: a "file", "folder", "link", "hard" link, "fifo", "socket" or an "unreadable" folder."""

    kind: str
    content: object = None


PLAIN_NAMES = [
    b"a", b"config.toml", b"sdscripts.log", b"logs", b"sample", EVENTS.encode(), b"hparams.yml", b"run.json",
    b"spec.toml", b"repos.git", b"fox-v1s4.safetensors", b"x.CKPT", b"x.pt", b"x.bin", b"a.png", b"fox-v1s4-state",
    b".git", b"HEAD", b".run.json.y.partial", b"new\nline", b"-rf", b"*", b"\xff\xfe", b"\x1b[2J\x07", b" ", b"...",
    "é".encode(),
]  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(PLAIN_NAMES),
    st.binary(min_size=1, max_size=8).filter(lambda name: name not in (b".", b"..") and not set(name) & {0, 0x2F}),
).map(os.fsdecode)
CONTENTS = st.sampled_from([b"", CONFIG, SPEC, b"precious", REPOSITORIES.encode()])
LEAVES = st.one_of(
    CONTENTS.map(lambda content: Node("file", content)),
    st.sampled_from(["out/kept", "out/kept/kept.txt", "/nowhere", ".", "..", "self"]).map(lambda to: Node("link", to)),
    st.sampled_from([Node("hard"), Node("fifo"), Node("socket"), Node("unreadable")]),
)
NODES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=4).map(lambda tree: Node("folder", tree)), max_leaves=6
)
# What may stand where throw-away things stand: mostly nothing, so that both endings are met.
TREES: st.SearchStrategy[dict[str, Node]] = st.one_of(
    st.just({}),
    st.dictionaries(NAMES, NODES, max_size=3),
    st.dictionaries(
        st.sampled_from(["logs", "sample", "config.toml"]),
        st.dictionaries(NAMES, LEAVES, max_size=2).map(lambda tree: Node("folder", tree)),
        max_size=1,
    ),
)


def build(root: Path, path: Path, node: Node) -> None:
    """Put a node there, if nothing is."""
    if node.kind in ("folder", "unreadable") and not path.is_symlink() and not path.is_file():
        path.mkdir(exist_ok=True)
        for name, inner in (node.content or {}).items() if isinstance(node.content, dict) else ():
            build(root, path / name, inner)
        if node.kind == "unreadable":
            (path / "precious").touch()
            path.chmod(0)
    elif os.path.lexists(path):
        return
    elif node.kind == "file" and isinstance(node.content, bytes):
        path.write_bytes(node.content)
    elif node.kind == "link":
        path.symlink_to(path.name if node.content == "self" else root / str(node.content))
    elif node.kind == "hard":
        path.hardlink_to(root / "out" / "kept" / "kept.txt")
    elif node.kind == "fifo":
        os.mkfifo(path)
    elif node.kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)


def put(directory: Path, name: str, content: bytes) -> None:
    """Write a file of kl's or the trainer's, where nothing else stands; never through a link."""
    path = directory
    for part in Path(name).parts[:-1]:
        path /= part
        if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
            return
        path.mkdir(exist_ok=True)
    path = directory / name
    if not os.path.lexists(path):
        path.write_bytes(content)


def snapshot(folder: Path) -> dict[str, tuple[int, int, object]]:
    """Everything below a folder, without following links: mode, number of names, and content or target."""
    found: dict[str, tuple[int, int, object]] = {}
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path, status = Path(entry.path), entry.stat(follow_symlinks=False)
            content: object = None
            links = status.st_nlink
            if entry.is_symlink():
                content = path.readlink()
            elif stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            elif stat.S_ISDIR(status.st_mode):
                links = 0
                inner = snapshot(path) if os.access(path, os.R_OK | os.X_OK) else {}
                found.update({f"{entry.name}/{name}": value for name, value in inner.items()})
            found[entry.name] = (status.st_mode, links, content)
    return found


@contextmanager
def ordinary_user(root: Path) -> Iterator[None]:
    """As one whom permissions mean something; root makes itself another, who owns everything in `root`."""
    if os.geteuid() != 0:
        yield
        return
    for folder, folders, files in os.walk(root):
        for name in (".", *folders, *files):
            os.chown(Path(folder) / name, NOBODY, NOBODY, follow_symlinks=False)
    os.seteuid(NOBODY)
    if not os.access(root, os.W_OK, effective_ids=True):  # temporary files where only root comes: root it is then
        os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def world() -> Iterator[Path]:
    """A folder with an output root, `out`, in which something else is kept, and a state folder."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root = Path(folder)
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        # Who is at work where has tests of its own; to look through all processes each time takes long.
        patch.setattr(clean_module, "places_in_use", dict)
        (root / "state").mkdir()
        put(root, "out/kept/kept.txt", b"kept")
        put(root, f"out/kept/{EVENTS}", b"kept")
        (root / "out" / NAME).mkdir()
        try:
            yield root
        finally:
            for path, folders, _ in os.walk(root):
                for name in folders:
                    if not (Path(path) / name).is_symlink():
                        (Path(path) / name).chmod(0o700)


def may_go(name: str, entry: tuple[int, int, object], known: dict[str, bytes | None]) -> bool:
    """The rule again, in other words. `known` are the files at the top; None: whatever is in them."""
    mode, links, content = entry
    parts = name.split("/")
    if stat.S_ISDIR(mode):
        if stat.S_IMODE(mode) == 0 or parts[-1] == ".git" or parts[-1].endswith("-state"):
            return False
        return MANIFEST in known and (parts[0] == "logs" or name == "sample")
    if not stat.S_ISREG(mode) or links > 1:
        return False
    if parts[0] == "logs" and MANIFEST in known:
        return len(parts) > 1 and (parts[-1] == "hparams.yml" or parts[-1].startswith("events.out.tfevents"))
    if name.startswith(".run.json.") and name.endswith(".partial") and len(parts) == 1:
        return True
    return name in known and known[name] in (None, content)


def check(root: Path, before: dict[str, tuple[int, int, object]], known: dict[str, bytes | None]) -> bool:
    """Clean up, and hold what is there against what was; return whether the run is gone."""
    inside = {name.removeprefix(f"{NAME}/"): entry for name, entry in before.items() if name.startswith(f"{NAME}/")}
    wrong = [name for name, entry in inside.items() if not may_go(name, entry, known)]
    with ordinary_user(root):
        cleaned = clean(FoundRun(NAME, root / "out" / NAME), [root / "out"])
    after = snapshot(root / "out")
    if wrong:
        assert not cleaned.gone and cleaned.verdict.stays
        assert after == before
        assert not list((root / "state").rglob("run.json"))
    else:
        assert cleaned.gone, cleaned.verdict.stays
        assert after == {name: entry for name, entry in before.items() if f"{name}/".split("/")[0] != NAME}
    return cleaned.gone


FILES_OF_A_RUN: dict[str, bytes | None] = {
    MANIFEST: manifest_bytes(RUN), "sdscripts.log": None, "repos.git": None, "config.toml": CONFIG,
}  # fmt: skip
QUICK = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(TREES, st.sets(st.sampled_from(sorted(THROW_AWAY))))
def test_a_run_goes_whole_or_stays_whole(tree: dict[str, Node], there: set[str]) -> None:
    with world() as root:
        directory = root / "out" / NAME
        for name, node in tree.items():
            build(root, directory / name, node)
        for name in there:
            put(directory, name, THROW_AWAY[name])
        put(directory, MANIFEST, manifest_bytes(RUN))
        before = snapshot(root / "out")
        if check(root, before, FILES_OF_A_RUN):
            (record,) = (root / "state" / "kl" / "removed").iterdir()
            kept = {path.name: path.read_bytes() for path in record.iterdir()}
            assert kept.pop(MANIFEST) == manifest_bytes(RUN)
            assert kept.get("sdscripts.log") == before.get(f"{NAME}/sdscripts.log", (0, 0, None))[2]


FILES_OF_A_HALF: dict[str, bytes | None] = {
    "repos.git": REPOSITORIES.encode(), "spec.toml": SPEC, "config.toml": CONFIG,
}  # fmt: skip


@QUICK
@given(
    st.one_of(
        st.dictionaries(st.sampled_from(["spec.toml", "config.toml", ".run.json.x.partial"]), LEAVES, max_size=3),
        st.dictionaries(NAMES, NODES, max_size=2),
    ),
    st.sets(st.sampled_from(["spec.toml", "config.toml"])),
)
def test_what_was_half_made_goes_whole_or_stays_whole(tree: dict[str, Node], there: set[str]) -> None:
    with world() as root:
        directory = root / "out" / NAME
        for name, node in tree.items():
            if name not in ("repos.git", "run.json"):
                build(root, directory / name, node)
        put(directory, "repos.git", REPOSITORIES.encode())
        for name in there:
            content = FILES_OF_A_HALF[name]
            put(directory, name, content or b"")
        before = snapshot(root / "out")
        known = dict(FILES_OF_A_HALF)
        for name in ("spec.toml", "config.toml"):  # kl's copies, empty when it was killed at once
            copy = before.get(f"{NAME}/{name}", (0, 0, None))[2]
            if isinstance(copy, bytes) and copy in (b"", SPEC, CONFIG):
                known[name] = copy
        check(root, before, known)
