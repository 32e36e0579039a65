"""Whatever somebody does in a small repository: it is recorded and made again to the byte, and not touched."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from code_bed import files, git, listing, made_again, new_repository, recorded, tree_by_git
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = ["a.py", "b", "d", "d/x.py", "d/y", "d/e/z", "blank name", "ü\n\t\"", "-x", ":(top)", "[a-z]*.py"]
CONTENTS = [
    b"", b"1\n", b"1", b"1\r\n2\n", b"\0\xff\0", b"line\n" * 50, b"line\n" * 49 + b"end\n", b"diff --git a/b b/b\n",
]  # fmt: skip
GIT = [
    ("add", "-A"), ("add", "-u"), ("add", "-N", "."), ("commit", "-q", "-m", "m"), ("commit", "-q", "-a", "-m", "m"),
    ("reset", "-q", "--soft", "HEAD~1"), ("reset", "-q", "HEAD~1"), ("checkout", "-q", "--detach"),
    ("rm", "-r", "-q", "--cached", "d"), ("update-index", "--assume-unchanged", "a.py"), ("stash", "-q"),
    ("config", "core.autocrlf", "true"),
]  # fmt: skip
name = st.sampled_from(NAMES)
actions = st.one_of(
    st.tuples(st.just("write"), name, st.sampled_from(CONTENTS)),
    st.tuples(st.just("remove"), name, st.none()),
    st.tuples(st.just("link"), name, name),
    st.tuples(st.just("program"), name, st.none()),
    st.tuples(st.just("move"), name, name),
    st.tuples(st.just("add"), name, st.none()),
    st.tuples(st.just("git"), st.sampled_from(GIT), st.none()),
)


def act(folder: Path, kind: str, given: object, more: object) -> None:
    """Do it, where it can be done."""
    with suppress(OSError, subprocess.CalledProcessError):
        if kind == "git" and isinstance(given, tuple):
            git(folder, *given)
            return
        path = folder / str(given)
        if kind == "add":
            git(folder, "--literal-pathspecs", "add", "--", str(given))
        elif kind == "program":
            path.chmod(0o755)
        elif kind == "move":
            path.rename(folder / str(more))
        else:
            _remove(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "write" and isinstance(more, bytes):
                path.write_bytes(more)
            elif kind == "link":
                path.symlink_to(str(more))


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(actions, max_size=14))
def test_any_edits(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object, object]]) -> None:
    place = tmp_path_factory.mktemp("any")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(place))
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        checkout = new_repository(place / "sd-scripts", {"a.py": b"line\n" * 50, "d/x.py": b"1\n", "b": b"\0\1"})
        for step in steps:
            act(checkout, *step)
        before = listing(checkout)
        code = recorded(checkout, place / "run")
        assert listing(checkout) == before
        (record,) = code.repositories
        assert (record.problem, record.left_out) == (None, ())
        again = made_again(code.repositories, place / "run")
        stood = files(checkout)
        converted = git(checkout, "config", "--default", "", "core.autocrlf") == "true"
        changed = {path: what for path, what in files(again).items() if what != stood.get(path)}
        if converted:  # git's own conversion of files that were not changed is not repeated
            changed = {path: what for path, what in changed.items() if _is_changed(checkout, path)}
        assert changed == {}
        assert stood.keys() == files(again).keys()
        assert listing(checkout) == before
        if not converted:
            assert record.tree == tree_by_git(checkout, place / "by git")
    shutil.rmtree(place)


def _is_changed(checkout: Path, path: str) -> bool:
    words = ("--no-optional-locks", "--literal-pathspecs", "status", "--porcelain", "--", path)
    return git(checkout, *words) != ""
