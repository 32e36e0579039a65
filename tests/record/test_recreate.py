"""A dirty checkout is recorded and made again to the byte, and nobody writes in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from code_bed import commit_all, files, git, listing, made_again, new_repository, own_home, recorded, tree_by_git

from launcher.base.places import cache_folder
from launcher.record.recreate import CannotRecreate, recreate
from launcher.record.repositories import record_code


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_home(tmp_path, monkeypatch)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


COMMITTED = {
    "train.py": b"import a\n\nprint(1)\n",
    "gone.py": b"gone\n",
    "old_name.py": b"the same text\n" * 20,
    "tool.sh": b"#!/bin/sh\n",
    "picture.bin": bytes(range(256)) * 4,
    "dos.txt": b"one\r\ntwo\r\n",
    "folder/inner.py": b"x\n",
    "becomes_folder": b"a file\n",
    "becomes_link": b"a file\n",
    "empty.py": b"",
    "no_end.py": b"no newline at the end",
    ".gitignore": b"*.ckpt\n__pycache__/\nlogs/\n",
}


def dirty(folder: Path) -> Path:
    """A checkout with every kind of change there is."""
    new_repository(folder, COMMITTED)
    (folder / "link").symlink_to("train.py")
    (folder / "to_nowhere").symlink_to("/none/at all")
    commit_all(folder, "links")
    # staged
    (folder / "staged.py").write_bytes(b"staged\n")
    (folder / "train.py").write_bytes(b"import a\nimport b\n\nprint(1)\n")
    git(folder, "add", "staged.py", "train.py")
    # staged, and changed again
    (folder / "train.py").write_bytes(b"import a\nimport c\n\nprint(2)\n")
    # unstaged
    (folder / "no_end.py").write_bytes(b"still none")
    (folder / "picture.bin").write_bytes(bytes(range(255, -1, -1)) * 4)
    (folder / "empty.py").write_bytes(b"not any more\n")
    (folder / "gone.py").unlink()
    (folder / "old_name.py").rename(folder / "new_name.py")
    (folder / "tool.sh").chmod(0o755)
    git(folder, "mv", "folder/inner.py", "moved.py")
    (folder / "becomes_folder").unlink()
    (folder / "becomes_folder").mkdir()
    (folder / "becomes_folder" / "file").write_bytes(b"in it\n")
    (folder / "becomes_link").unlink()
    (folder / "becomes_link").symlink_to("train.py")
    (folder / "link").unlink()
    (folder / "link").write_bytes(b"a file now\n")
    (folder / "to_nowhere").unlink()
    (folder / "to_nowhere").symlink_to("/elsewhere")
    # staged, gone since; only meant to be added
    (folder / "brief.py").write_bytes(b"brief\n")
    (folder / "meant.py").write_bytes(b"meant\n")
    git(folder, "add", "brief.py")
    git(folder, "add", "-N", "meant.py")
    (folder / "brief.py").unlink()
    # untracked
    (folder / "dos.txt").write_bytes(b"one\r\ntwo\nthree\r\n")
    (folder / "new.bin").write_bytes(b"\0\xff" * 300)
    (folder / "new program").write_bytes(b"#!/bin/sh\n")
    (folder / "new program").chmod(0o755)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "network.py").write_bytes(b"net\n")
    (folder / "deep" / "empty").write_bytes(b"")
    (folder / "deep" / "link").symlink_to("../train.py")
    (folder / "name with blanks, ü and \"quotes\"").write_bytes(b"1\n")
    (folder / "line\nbreak\tand tab.py").write_bytes(b"2\n")
    (folder / "*?[a].py").write_bytes(b"3\n")
    (folder / "-rf").write_bytes(b"4\n")
    (folder / os.fsdecode(b"not \xff\xfe utf-8.py")).write_bytes(b"5\n")
    return folder


def test_every_kind_of_change_comes_back(tmp_path: Path, run: Path) -> None:
    checkout = dirty(tmp_path / "sd-scripts")
    before = listing(checkout)
    code = recorded(checkout, run)
    (record,) = code.repositories
    assert (record.dirty, record.patch, record.left_out, record.problem) == (
        True, "patches/sd-scripts.patch", (), None,
    )  # fmt: skip
    again = made_again(code.repositories, run)
    assert listing(checkout) == before
    assert files(again) == files(checkout)
    assert record.tree == tree_by_git(checkout, tmp_path / "one") == tree_by_git(again, tmp_path / "two")
    assert git(again, "rev-parse", "HEAD") == record.commit == git(checkout, "rev-parse", "HEAD")
    assert recorded(again, tmp_path / "run2").repositories[0].tree == record.tree


def test_the_patch_is_one_for_git_apply(tmp_path: Path, run: Path) -> None:
    checkout = dirty(tmp_path / "sd-scripts")
    code = recorded(checkout, run)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(checkout), str(clone))
    git(clone, "apply", "--binary", str(run / "patches" / "sd-scripts.patch"))
    assert files(clone) == files(checkout)
    git(clone, "add", "-A", "-f")
    assert git(clone, "write-tree") == code.repositories[0].tree


def test_what_a_user_has_set_does_not_matter(tmp_path: Path, run: Path) -> None:
    """Settings of the user that change how git diffs, applies and names things."""
    checkout = dirty(tmp_path / "sd-scripts")
    for key, value in {
        "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "diff.renames": "copies", "diff.external": "false",
        "diff.context": "0", "diff.submodule": "log", "apply.whitespace": "error", "core.quotePath": "false",
        "status.showUntrackedFiles": "no", "status.renames": "copies", "color.ui": "always", "core.pager": "false",
        "status.relativePaths": "true", "core.abbrev": "5", "core.fsmonitor": "/none/monitor",
        "core.hooksPath": "/none/hooks", "clean.requireForce": "false", "commit.gpgSign": "true",
        "fetch.prune": "true", "core.untrackedCache": "true", "core.splitIndex": "true", "index.sparse": "true",
    }.items():  # fmt: skip
        git(tmp_path, "config", "--global", key, value)
    (checkout / ".git" / "hooks").mkdir(exist_ok=True)
    before = listing(checkout)
    code = recorded(checkout, run)
    again = made_again(code.repositories, run)
    assert listing(checkout) == before
    assert files(again) == files(checkout)


def test_a_clean_checkout_has_no_patch(tmp_path: Path, run: Path) -> None:
    checkout = new_repository(tmp_path / "sd-scripts")
    (record,) = recorded(checkout, run).repositories
    assert (record.patch, record.dirty, record.tree) == (None, False, git(checkout, "rev-parse", "HEAD^{tree}"))
    again = made_again([record], run)
    assert files(again) == files(checkout)
    assert again.name == "sd-scripts" and again.is_relative_to(cache_folder() / "work-trees")


@pytest.mark.parametrize("attributes", ["* text=auto\n", "*.txt text eol=crlf\n", "*.py ident\n", "*.txt -text\n"])
@pytest.mark.parametrize("autocrlf", ["false", "input", "true"])
def test_line_endings_come_back_as_they_stood(tmp_path: Path, run: Path, attributes: str, autocrlf: str) -> None:
    """Changed and untracked files to the byte, whatever git would make of them."""
    git(tmp_path, "config", "--global", "core.autocrlf", autocrlf)
    git(tmp_path, "config", "--global", "core.safecrlf", "false")
    checkout = new_repository(tmp_path / "sd-scripts", {
        ".gitattributes": attributes.encode(), "a.txt": b"1\n2\n", "b.py": b"# $Id$\n", "c.txt": b"3\n",
    })  # fmt: skip
    (checkout / "a.txt").write_bytes(b"1\r\n2\nchanged\r\n")
    (checkout / "b.py").write_bytes(b"# $Id: 123 $\r\nprint()\r\n")
    (checkout / "new.txt").write_bytes(b"x\r\ny\r\n")
    (checkout / "new.py").write_bytes(b"x\ny\r\n# $Id$\n")
    code = recorded(checkout, run)
    again = files(made_again(code.repositories, run))
    stood = files(checkout)
    for name in ("a.txt", "b.py", "new.txt", "new.py"):
        assert again[name] == stood[name]
    assert again.keys() == stood.keys()


def test_files_in_another_encoding(tmp_path: Path, run: Path) -> None:
    checkout = new_repository(tmp_path / "sd-scripts", {".gitattributes": b"*.u16 working-tree-encoding=UTF-16\n"})
    (checkout / "new.u16").write_bytes("é\n".encode("utf-16"))
    (checkout / "odd.u16").write_bytes(b"not it")
    assert files(made_again(recorded(checkout, run).repositories, run)) == files(checkout)


@pytest.fixture
def with_submodule(tmp_path: Path) -> Path:
    """A checkout with a submodule in a folder, which has a submodule itself."""
    inner = new_repository(tmp_path / "upstream" / "inner", {"i.py": b"inner\n"})
    middle = new_repository(tmp_path / "upstream" / "middle", {"m.py": b"middle\n"})
    git(middle, "submodule", "add", "-q", str(inner), "nested")
    commit_all(middle)
    checkout = new_repository(tmp_path / "sd-scripts", COMMITTED)
    git(checkout, "submodule", "add", "-q", str(middle), "third party/lycoris")
    git(checkout, "submodule", "update", "-q", "--init", "--recursive")
    commit_all(checkout)
    return checkout


def test_submodules_dirty_and_at_a_commit_of_their_own(tmp_path: Path, run: Path, with_submodule: Path) -> None:
    middle = with_submodule / "third party" / "lycoris"
    inner = middle / "nested"
    (inner / "i.py").write_bytes(b"changed in the innermost\n")
    (inner / "new.bin").write_bytes(b"\0\1")
    (middle / "m.py").write_bytes(b"only this clone has it\n")
    own = commit_all(middle, "local")
    (middle / "m.py").write_bytes(b"and dirty\n")
    (with_submodule / "train.py").write_bytes(b"dirty too\n")
    shutil.rmtree(tmp_path / "upstream")
    before = listing(with_submodule)
    code = recorded(with_submodule, run)
    assert [(each.name, each.inside) for each in code.repositories] == [
        ("sd-scripts", None),
        ("sd-scripts/third party/lycoris", "sd-scripts"),
        ("sd-scripts/third party/lycoris/nested", "sd-scripts/third party/lycoris"),
    ]
    assert code.repositories[1].commit == own
    assert all(each.dirty and each.patch for each in code.repositories)
    assert len(code.patches) == 3
    again = made_again(code.repositories, run)
    assert listing(with_submodule) == before
    assert files(again) == files(with_submodule)
    for path in ("", "third party/lycoris", "third party/lycoris/nested"):
        assert git(again / path, "rev-parse", "HEAD") == git(with_submodule / path, "rev-parse", "HEAD")
    assert made_again(code.repositories, run) == again


def test_a_submodule_without_changes_makes_nothing_dirty(run: Path, with_submodule: Path) -> None:
    code = recorded(with_submodule, run)
    assert [each.dirty for each in code.repositories] == [False, False, False]
    assert code.patches == {}
    assert files(made_again(code.repositories, run)) == files(with_submodule)


def test_a_submodule_that_was_added_and_one_that_was_taken_away(
    tmp_path: Path, run: Path, with_submodule: Path
) -> None:
    other = new_repository(tmp_path / "other", {"o.py": b"o\n"})
    git(with_submodule, "submodule", "add", "-q", str(other), "other")
    git(with_submodule, "rm", "-q", "third party/lycoris")
    code = recorded(with_submodule, run)
    assert [each.name for each in code.repositories] == ["sd-scripts", "sd-scripts/other"]
    assert files(made_again(code.repositories, run)) == files(with_submodule)


def test_a_submodule_of_a_commit_that_is_not_checked_out_any_more(run: Path, with_submodule: Path) -> None:
    code = recorded(with_submodule, run)
    stood = files(with_submodule)
    git(with_submodule, "submodule", "deinit", "-q", "-f", "--all")
    git(with_submodule, "checkout", "-q", "HEAD~1")
    assert files(made_again(code.repositories, run)) == stood


def test_a_submodule_that_was_not_checked_out(tmp_path: Path, run: Path, with_submodule: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(with_submodule), str(clone))
    code = recorded(clone, run)
    assert [each.name for each in code.repositories] == ["sd-scripts"]
    assert files(made_again(code.repositories, run)) == files(clone)


def test_a_commit_that_no_branch_has(tmp_path: Path, run: Path) -> None:
    checkout = new_repository(tmp_path / "sd-scripts")
    git(checkout, "checkout", "-q", "--detach")
    (checkout / "a.py").write_bytes(b"on no branch\n")
    commit = commit_all(checkout)
    code = recorded(checkout, run)
    stood = files(checkout)
    assert code.repositories[0].branch == "HEAD"
    git(checkout, "checkout", "-q", "main")
    git(checkout, "reflog", "expire", "--expire=now", "--all")
    before = listing(checkout)
    again = made_again(code.repositories, run)
    assert (files(again), git(again, "rev-parse", "HEAD")) == (stood, commit)
    assert listing(checkout) == before


def test_the_checkout_may_have_moved_on_and_away(tmp_path: Path, run: Path) -> None:
    checkout = dirty(tmp_path / "sd-scripts")
    code = recorded(checkout, run)
    stood = files(checkout)
    commit_all(checkout, "went on")
    moved = checkout.rename(tmp_path / "moved")
    with pytest.raises(CannotRecreate, match=r"The commit \w{12} of sd-scripts cannot be had: .*sd-scripts: is not"):
        made_again(code.repositories, run)
    assert files(made_again(code.repositories, run, {"sd-scripts": [str(moved)]})) == stood
    shutil.rmtree(moved)
    assert files(made_again(code.repositories, run)) == stood


def test_the_remote_is_asked_when_nothing_else_has_it(tmp_path: Path, run: Path) -> None:
    """By URL, a reachable commit, and one that is at no branch's tip."""
    upstream = new_repository(tmp_path / "upstream")
    clone = tmp_path / "sd-scripts"
    git(tmp_path, "clone", "-q", upstream.as_uri(), str(clone))
    (clone / "new.py").write_bytes(b"new\n")
    code = recorded(clone, run)
    assert code.repositories[0].remote == upstream.as_uri()
    stood = files(clone)
    shutil.rmtree(clone)
    (upstream / "a.py").write_bytes(b"went on\n")
    commit_all(upstream)
    assert files(made_again(code.repositories, run)) == stood


def test_a_repository_whose_path_is_a_url(tmp_path: Path, run: Path) -> None:
    """LyCORIS installed straight from a repository."""
    upstream = new_repository(tmp_path / "LyCORIS.git")
    (record,) = recorded(upstream, run).repositories
    installed = replace(record, path=upstream.as_uri(), tree=None, dirty=False)
    again = made_again([installed], run)
    assert (files(again), again.name) == (files(upstream), "LyCORIS")


def test_only_a_server_s_branches(tmp_path: Path, run: Path) -> None:
    """A server that speaks the oldest protocol and gives out no single commits."""
    upstream = new_repository(tmp_path / "upstream")
    commit = git(upstream, "rev-parse", "HEAD")
    stood = files(upstream)
    (upstream / "a.py").write_bytes(b"went on\n")
    commit_all(upstream)
    git(tmp_path, "config", "--global", "uploadpack.advertiseRefs", "true")
    git(tmp_path, "config", "--global", "uploadpack.hideRefs", "none")
    (record,) = recorded(upstream, run).repositories
    record = replace(record, path=upstream.as_uri(), commit=commit, tree=None, dirty=False)
    assert files(made_again([record], run)) == stood


def test_a_shallow_clone(tmp_path: Path, run: Path) -> None:
    upstream = new_repository(tmp_path / "upstream")
    for number in range(3):
        (upstream / "a.py").write_bytes(b"%d\n" % number)
        commit_all(upstream)
    clone = tmp_path / "sd-scripts"
    git(tmp_path, "clone", "-q", "--depth", "1", upstream.as_uri(), str(clone))
    (clone / "a.py").write_bytes(b"dirty\n")
    code = recorded(clone, run)
    shutil.rmtree(upstream)
    before = listing(clone)
    assert files(made_again(code.repositories, run)) == files(clone)
    assert listing(clone) == before


def test_a_sparse_clone_without_the_files_it_leaves_out(tmp_path: Path, run: Path) -> None:
    upstream = new_repository(tmp_path / "upstream", {"a.py": b"1\n", "big/b.dll": b"\0" * 99, "big/c.dll": b"\1" * 9})
    git(upstream, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "sd-scripts"
    git(tmp_path, "clone", "-q", "--filter=blob:none", "--sparse", upstream.as_uri(), str(clone))
    (clone / "a.py").write_bytes(b"dirty\n")
    code = recorded(clone, run)
    (record,) = code.repositories
    assert (record.absent, record.problem) == (2, None)
    upstream.rename(tmp_path / "unreachable")
    before = listing(clone)
    again = made_again(code.repositories, run)
    assert files(again) == files(clone)
    assert listing(clone) == before
    assert made_again(code.repositories, run) == again
    with pytest.raises(CannotRecreate, match=r"Files of sd-scripts's commit \w{12} are nowhere .*: big/b.dll, big/c.d"):
        made_again([replace(record, absent=0)], run)


def test_a_linked_work_tree(tmp_path: Path, run: Path) -> None:
    main = dirty(tmp_path / "main")
    linked = tmp_path / "sd-scripts"
    git(main, "worktree", "add", "-q", "--detach", str(linked))
    (linked / "train.py").write_bytes(b"linked\n")
    before = (listing(main), listing(linked))
    code = recorded(linked, run)
    assert files(made_again(code.repositories, run)) == files(linked)
    assert (listing(main), listing(linked)) == before


def test_in_the_middle_of_a_merge(tmp_path: Path, run: Path) -> None:
    checkout = new_repository(tmp_path / "sd-scripts", {"a.py": b"1\n", "b.py": b"1\n"})
    git(checkout, "checkout", "-q", "-b", "side")
    (checkout / "a.py").write_bytes(b"side\n")
    (checkout / "b.py").unlink()
    commit_all(checkout)
    git(checkout, "checkout", "-q", "main")
    (checkout / "a.py").write_bytes(b"main\n")
    (checkout / "b.py").write_bytes(b"main\n")
    commit_all(checkout)
    with pytest.raises(subprocess.CalledProcessError):
        git(checkout, "merge", "-q", "side")
    before = listing(checkout)
    code = recorded(checkout, run)
    assert code.repositories[0].dirty
    assert b"<<<<<<<" in code.patches["patches/sd-scripts.patch"]
    assert files(made_again(code.repositories, run)) == files(checkout)
    assert listing(checkout) == before


def test_files_that_git_was_told_not_to_look_at(tmp_path: Path, run: Path) -> None:
    checkout = new_repository(tmp_path / "sd-scripts", COMMITTED)
    git(checkout, "update-index", "--assume-unchanged", "train.py", "gone.py")
    git(checkout, "update-index", "--skip-worktree", "tool.sh")
    for name in ("train.py", "tool.sh"):
        (checkout / name).write_bytes(b"changed behind git's back\n")
    (checkout / "gone.py").unlink()
    before = listing(checkout)
    code = recorded(checkout, run)
    assert git(checkout, "--no-optional-locks", "status", "--porcelain") == ""
    assert files(made_again(code.repositories, run)) == files(checkout)
    assert listing(checkout) == before


def test_nothing_committed_yet(tmp_path: Path, run: Path) -> None:
    checkout = tmp_path / "sd-scripts"
    checkout.mkdir()
    git(checkout, "init", "-q")
    (checkout / "a.py").write_bytes(b"staged\n")
    git(checkout, "add", "a.py")
    (checkout / "b.py").write_bytes(b"untracked\n")
    code = recorded(checkout, run)
    assert code.repositories[0].commit is None
    assert files(made_again(code.repositories, run)) == files(checkout)


def test_a_repository_with_longer_hashes(tmp_path: Path, run: Path) -> None:
    checkout = tmp_path / "sd-scripts"
    checkout.mkdir()
    git(checkout, "init", "-q", "--object-format=sha256")
    (checkout / "a.py").write_bytes(b"1\n")
    commit_all(checkout)
    (checkout / "a.py").write_bytes(b"2\n")
    (checkout / "b.py").write_bytes(b"3\n")
    code = recorded(checkout, run)
    assert len(code.repositories[0].tree or "") == 64
    assert files(made_again(code.repositories, run)) == files(checkout)


def test_a_work_tree_is_used_again_until_somebody_changes_it(tmp_path: Path, run: Path) -> None:
    checkout = dirty(tmp_path / "sd-scripts")
    code = recorded(checkout, run)
    again = made_again(code.repositories, run)
    (again / "__pycache__").mkdir()
    (again / "__pycache__" / "train.cpython-311.pyc").write_bytes(b"x")
    (again / "model.ckpt").write_bytes(b"ignored")
    assert made_again(code.repositories, run) == again
    (again / "train.py").write_bytes(b"edited\n")
    other = made_again(code.repositories, run)
    assert other != again and files(other) == files(checkout)
    assert (again / "train.py").read_bytes() == b"edited\n"  # something may be running there
    assert made_again(code.repositories, run) == other


@pytest.mark.parametrize("change", ["new", "gone", "committed", "broken", "mode"])
def test_a_changed_work_tree_is_made_anew(tmp_path: Path, run: Path, change: str) -> None:
    checkout = new_repository(tmp_path / "sd-scripts", COMMITTED)
    code = recorded(checkout, run)
    again = made_again(code.repositories, run)
    if change == "new":
        (again / "another.py").write_bytes(b"")
    elif change == "gone":
        (again / "train.py").unlink()
    elif change == "committed":
        commit_all(again)
    elif change == "broken":
        (again / ".git" / "HEAD").write_bytes(b"\xff")
    else:
        (again / "train.py").chmod(0o755)
    other = made_again(code.repositories, run)
    assert other != again and files(other) == files(checkout)


def test_another_patch_is_another_work_tree(tmp_path: Path, run: Path) -> None:
    checkout = new_repository(tmp_path / "sd-scripts")
    one = made_again(recorded(checkout, run).repositories, run)
    (checkout / "a.py").write_bytes(b"2\n")
    two = made_again(recorded(checkout, run).repositories, run)
    assert one != two and (one / "a.py").read_bytes() == b"1\n"


def test_a_patch_that_was_changed_is_refused(tmp_path: Path, run: Path) -> None:
    checkout = new_repository(tmp_path / "sd-scripts")
    (checkout / "a.py").write_bytes(b"2\n")
    records = recorded(checkout, run).repositories
    patch = run / "patches" / "sd-scripts.patch"
    whole = patch.read_bytes()
    patch.write_bytes(whole.replace(b"+2", b"+3"))
    with pytest.raises(CannotRecreate, match="do not give the recorded files"):
        made_again(records, run)
    patch.write_bytes(whole.replace(b"-1", b"-9"))
    with pytest.raises(CannotRecreate, match="cannot be applied to its commit"):
        made_again(records, run)
    patch.unlink()
    with pytest.raises(CannotRecreate, match=r"sd-scripts are lost: patches/sd-scripts.patch cannot be read"):
        made_again(records, run)
    assert not [path for path in (cache_folder() / "work-trees").iterdir() if path.is_dir()]
    patch.write_bytes(whole)
    assert files(made_again(records, run)) == files(checkout)


def test_what_was_not_recorded_cannot_be_made(tmp_path: Path, run: Path) -> None:
    checkout = new_repository(tmp_path / "sd-scripts")
    (record,) = recorded(checkout, run).repositories
    with pytest.raises(CannotRecreate, match="No repository LyCORIS was recorded"):
        recreate([record], "LyCORIS", run, {})
    with pytest.raises(CannotRecreate, match="had changes that were not committed, and they were not recorded"):
        made_again([replace(record, dirty=True, tree=None)], run)
    with pytest.raises(CannotRecreate, match="was not recorded: not a git repository"):
        made_again(record_code([("sd-scripts", tmp_path / "home")]).repositories, run)
    with pytest.raises(CannotRecreate, match="'--upload-pack=x' is not a commit"):
        made_again([replace(record, commit="--upload-pack=x")], run)


@pytest.mark.parametrize("path", ["../out", "a/../../out", ".git", "/abs", "a//b"])
def test_a_submodule_stays_inside(tmp_path: Path, run: Path, path: str) -> None:
    checkout = new_repository(tmp_path / "sd-scripts")
    (record,) = recorded(checkout, run).repositories
    bad = replace(record, name=f"sd-scripts/{path}", inside="sd-scripts")
    with pytest.raises(CannotRecreate, match="is no path of a submodule"):
        made_again([record, bad], run)
    assert not (tmp_path / "out").exists()


def test_a_manifest_from_elsewhere_cannot_run_anything(tmp_path: Path, run: Path) -> None:
    checkout = new_repository(tmp_path / "sd-scripts")
    (record,) = recorded(checkout, run).repositories
    trap = tmp_path / "trap"
    for source in (f"ext::sh -c 'touch {trap}'", f"--upload-pack=touch {trap}", f"-oProxyCommand=touch {trap}"):
        with pytest.raises(CannotRecreate, match="cannot be had"):
            made_again([replace(record, path=source, remote=source)], run)
    assert not trap.exists()
