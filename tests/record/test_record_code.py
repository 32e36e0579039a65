"""Which repositories are recorded, and what of them stays out of a patch."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest
from code_bed import commit_all, files, git, listing, made_again, new_repository, own_home, recorded

from launcher.record.manifest import RepositoryRecord
from launcher.record.repositories import commit_there, commits_between, record_code, repository_at

PATCH = "patches/sd-scripts.patch"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_home(tmp_path, monkeypatch)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "sd-scripts", {"a.py": b"1\n", ".gitignore": b"*.ckpt\nvenv/\n"})


def left_out(checkout: Path) -> tuple[str, ...]:
    return record_code([("sd-scripts", checkout)]).repositories[0].left_out


def patch_of(checkout: Path) -> bytes:
    return record_code([("sd-scripts", checkout)]).patches.get(PATCH, b"")


def test_the_root_is_found_from_inside(checkout: Path) -> None:
    (checkout / "networks" / "deep").mkdir(parents=True)
    (checkout / "networks" / "lora.py").write_bytes(b"x\n")
    commit_all(checkout)
    (checkout / "b.py").write_bytes(b"beside it\n")
    record = record_code([("sd-scripts", checkout / "networks")]).repositories[0]
    assert (record.path, record.patch) == (str(checkout), PATCH)
    assert repository_at("x", checkout / "networks").path == str(checkout)


def test_a_folder_without_a_tracked_file_is_not_of_the_repository_around_it(tmp_path: Path) -> None:
    """A home folder that is in git, with a checkout below that is not."""
    home = new_repository(tmp_path / "user")
    (home / "sd-scripts").mkdir()
    (home / "sd-scripts" / "train.py").write_bytes(b"x\n")
    code = record_code([("sd-scripts", home / "sd-scripts")])
    assert code.repositories == (
        RepositoryRecord("sd-scripts", str(home / "sd-scripts"), problem="not a git repository"),
    )
    assert code.patches == {}


def test_a_link_to_a_checkout_keeps_its_name(tmp_path: Path, checkout: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(checkout)
    (checkout / "a.py").write_bytes(b"2\n")
    record = record_code([("sd-scripts", link)]).repositories[0]
    assert (record.path, record.patch) == (str(link), PATCH)


def test_each_repository_once_and_every_name_once(tmp_path: Path, checkout: Path) -> None:
    others = [new_repository(tmp_path / folder / "lib") for folder in ("one", "two")]
    for folder in (checkout, *others):
        (folder / "a.py").write_bytes(b"changed\n")
    named = [("sd-scripts", checkout), ("LyCORIS", checkout), *(("lib", other) for other in others)]
    code = record_code(named)
    assert [(each.name, each.path) for each in code.repositories] == [
        ("sd-scripts", str(checkout)), ("lib", str(others[0])), ("lib-2", str(others[1])),
    ]  # fmt: skip
    assert list(code.patches) == [PATCH, "patches/lib.patch", "patches/lib-2.patch"]
    assert [each.patch for each in code.repositories] == list(code.patches)


def test_a_submodule_that_is_named_too_is_recorded_once(tmp_path: Path, checkout: Path) -> None:
    sub = new_repository(tmp_path / "upstream")
    git(checkout, "submodule", "add", "-q", str(sub), "lycoris")
    code = record_code([("sd-scripts", checkout), ("LyCORIS", checkout / "lycoris")])
    assert [each.name for each in code.repositories] == ["sd-scripts", "sd-scripts/lycoris"]


def test_names_of_patches_stay_in_their_folder(tmp_path: Path) -> None:
    for number, name in enumerate(("..", "a/../../b", "ü ö", "-x", "/")):
        folder = new_repository(tmp_path / str(number) / "x")
        (folder / "a.py").write_bytes(b"2\n")
        (patch,) = record_code([(name, folder)]).patches
        assert patch.startswith("patches/") and "/" not in patch[8:] and patch[8] not in ".-"


def test_a_checkout_that_changes_its_submodule_s_files_is_dirty(tmp_path: Path, checkout: Path) -> None:
    git(checkout, "submodule", "add", "-q", str(new_repository(tmp_path / "upstream")), "sub")
    commit_all(checkout)
    assert repository_at("x", checkout).dirty is False
    (checkout / "sub" / "a.py").write_bytes(b"2\n")
    assert repository_at("x", checkout).dirty is True
    outer, inner = record_code([("sd-scripts", checkout)]).repositories
    assert (outer.dirty, outer.patch, inner.dirty) == (True, None, True)


def test_large_files_are_left_out(checkout: Path) -> None:
    (checkout / "model.safetensors").write_bytes(b"\0" * ((1 << 20) + 1))
    (checkout / "just.bin").write_bytes(b"\0" * (1 << 20))
    assert left_out(checkout) == ("model.safetensors: larger than 1 MiB",)
    assert b"just.bin" in patch_of(checkout)


def test_tracked_files_may_be_larger_but_not_without_end(checkout: Path) -> None:
    (checkout / "a.py").write_bytes(b"1\n" * (1 << 20))
    (checkout / "staged.bin").write_bytes(b"\0" * (9 << 20))
    git(checkout, "add", "staged.bin")
    assert left_out(checkout) == ("staged.bin: 9 MiB, more than a patch may take",)
    assert b"a.py" in patch_of(checkout)


def test_many_files_are_left_out_and_code_comes_first(checkout: Path, tmp_path: Path) -> None:
    (checkout / "captions").mkdir()
    for number in range(1200):
        (checkout / "captions" / f"{number}.txt").write_bytes(b"a fox")
    (checkout / "z" / "z").mkdir(parents=True)
    (checkout / "z" / "z" / "network.py").write_bytes(b"x\n")
    assert left_out(checkout) == ("captions/: 201 files: more than 1000 untracked files",)
    again = made_again(recorded(checkout, tmp_path / "run").repositories, tmp_path / "run")
    assert (again / "z" / "z" / "network.py").is_file()


def test_all_files_together_have_a_limit(checkout: Path) -> None:
    for number in range(9):
        (checkout / f"{number}.bin").write_bytes(os.urandom(1 << 20))
    assert left_out(checkout) == ("8.bin: the untracked files have more than 8 MiB",)


def test_a_huge_folder_is_not_looked_through(checkout: Path) -> None:
    (checkout / "data").mkdir()
    for number in range(5001):
        (checkout / "data" / str(number)).touch()
    (checkout / "new.py").write_bytes(b"x\n")
    assert left_out(checkout) == ("data/: more than 5000 files",)
    assert b"new.py" in patch_of(checkout)


def test_ignored_files_never_and_ignored_folders_are_not_entered(checkout: Path) -> None:
    for folder in (checkout / "venv", checkout / "mine" / "venv"):
        folder.mkdir(parents=True)
        for number in range(3000):
            (folder / str(number)).touch()
    (checkout / "mine" / "net.py").write_bytes(b"x\n")
    (checkout / "mine" / "last.ckpt").write_bytes(b"x\n")
    (checkout / "mine" / ".gitignore").write_bytes(b"*.log\n")
    (checkout / "mine" / "x.log").write_bytes(b"x\n")
    (checkout / "top.ckpt").write_bytes(b"x\n")
    (checkout / "mine" / "__pycache__").mkdir()
    (checkout / "mine" / "__pycache__" / "net.pyc").write_bytes(b"x")
    patch = patch_of(checkout)
    assert left_out(checkout) == ()
    assert patch.count(b"diff --git") == 2 and b"mine/net.py" in patch and b"mine/.gitignore" in patch


def test_a_repository_inside_is_left_out(checkout: Path) -> None:
    new_repository(checkout / "LyCORIS")
    new_repository(checkout / "deep" / "er" / "other")
    (checkout / "deep" / "er" / "a.py").write_bytes(b"1\n")
    assert left_out(checkout) == (
        "LyCORIS/: a git repository of its own", "deep/er/other/: a git repository of its own",
    )  # fmt: skip
    assert patch_of(checkout).count(b"diff --git") == 1


@pytest.mark.parametrize(
    "name", [".env", ".env.local", "server.pem", "my.key", "id_rsa", "hf_token.txt", "Secrets.json", "credentials",
             "aws-credentials.toml", "token", "hf_token.py", "secrets.py"],
)  # fmt: skip
@pytest.mark.parametrize("staged", [False, True])
def test_files_that_are_named_like_secrets_are_left_out(checkout: Path, name: str, staged: bool) -> None:
    (checkout / name).write_bytes(b"hunter2hunter2")
    if staged:
        git(checkout, "add", "-f", name)
    assert left_out(checkout) == (f"{name}: its name says that it holds a secret",)
    assert b"hunter2" not in patch_of(checkout)


@pytest.mark.parametrize("name", ["tokenizer.json", "my_tokenizer.py", "tokenize_captions.py", "id_embedding.py",
                                  "keys.py", "environment.py", "monkey.txt", "secretary.py"])  # fmt: skip
def test_other_names_are_not(checkout: Path, name: str) -> None:
    (checkout / name).write_bytes(b"x = 1\n")
    assert left_out(checkout) == ()
    assert name.encode() in patch_of(checkout)


def test_a_tracked_file_of_such_a_name_stays_in(checkout: Path) -> None:
    """It is in everybody's clone."""
    (checkout / "token.txt").write_bytes(b"<s>\n")
    commit_all(checkout)
    (checkout / "token.txt").write_bytes(b"</s>\n")
    assert b"token.txt" in patch_of(checkout)


SECRET = "hf_aBcDeF0123456789"


@pytest.mark.parametrize("where", ["tracked", "untracked", "staged", "committed", "link"])
def test_values_of_secret_variables_are_in_no_patch(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    text = f"key = '{SECRET}'\n".encode()
    said = "it holds the value of WANDB_API_KEY"
    name = "a.py" if where in ("tracked", "committed") else "new.py"
    if where == "committed":
        (checkout / "a.py").write_bytes(b"# context\n" + text)
        commit_all(checkout)
        text, said = b"# context\nkey = None\n", "what was committed holds the value of WANDB_API_KEY"
    if where == "link":
        (checkout / name).symlink_to(SECRET)
    else:
        (checkout / name).write_bytes(text)
    if where == "staged":
        git(checkout, "add", name)
    (checkout / "sound.py").write_bytes(b"x = 1\n")
    assert left_out(checkout) == (f"{name}: {said}",)
    patch = patch_of(checkout)
    assert SECRET.encode() not in patch and b"sound.py" in patch
    monkeypatch.delenv("WANDB_API_KEY")
    assert left_out(checkout) == ()


@pytest.mark.parametrize("url", ["https://{}:x-oauth-basic@example.org/x", "https://example.org/x?b=c&token={}"])
def test_tokens_of_remotes_are_in_no_patch(checkout: Path, url: str) -> None:
    git(checkout, "config", "submodule.sub.url", url.format("t0ken-t0ken-t0ken-t0ken"))
    (checkout / ".gitmodules").write_text('[submodule "sub"]\n\turl = ' + url.format("t0ken-t0ken-t0ken-t0ken"))
    assert len(left_out(checkout)) == 1
    assert b"t0ken" not in patch_of(checkout)


@pytest.mark.parametrize("url", ["https://me:{}@example.org/x", "https://{}@example.org/x", "ssh://{}:y@example.org/x"])
def test_passwords_of_remotes_are_in_no_patch(checkout: Path, url: str) -> None:
    """As `git submodule add` writes them into .gitmodules."""
    git(checkout, "config", "submodule.sub.url", url.format("p4ssw0rd-p4ssw0rd"))
    (checkout / ".gitmodules").write_text('[submodule "sub"]\n\turl = ' + url.format("p4ssw0rd-p4ssw0rd"))
    (checkout / "sound.py").write_text("me = y = 1")
    expected = () if ":y" in url else (".gitmodules: it holds the password in submodule.sub.url",)
    assert left_out(checkout) == expected
    assert b"sound.py" in patch_of(checkout)


def test_a_header_with_a_token_is_in_no_patch(checkout: Path) -> None:
    git(checkout, "config", "http.https://example.org/.extraheader", "AUTHORIZATION: basic eDpnaHBfc2VjcmV0")
    (checkout / "a.py").write_text("header = 'basic eDpnaHBfc2VjcmV0'")
    assert left_out(checkout) == ("a.py: it holds the password in http.https://example.org/.extraheader",)


def test_values_of_other_variables_and_short_ones_do_not_matter(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "import")
    monkeypatch.setenv("EDITOR", "import torch")
    (checkout / "a.py").write_bytes(b"import torch\n")
    assert left_out(checkout) == ()


def trap(tmp_path: Path) -> tuple[str, Path]:
    """A program that must not run, and what it leaves when it does."""
    mark, program = tmp_path / "it ran", tmp_path / "trap.sh"
    program.write_text(f"#!/bin/sh\ntouch {shlex.quote(str(mark))}\ncat\n")
    program.chmod(0o755)
    return str(program), mark


def test_no_program_of_the_repository_is_run(tmp_path: Path, checkout: Path) -> None:
    program, mark = trap(tmp_path)
    (checkout / ".gitattributes").write_bytes(b"*.bin filter=lfs diff=odd -text\n*.dat diff=odd\n")
    (checkout / "tracked.bin").write_bytes(b"as it was\n")
    (checkout / "tracked.dat").write_bytes(b"as it was\n")
    commit_all(checkout)
    for key in ("filter.lfs.clean", "filter.lfs.smudge", "filter.lfs.process", "diff.odd.textconv",
                "diff.odd.command", "diff.external", "core.fsmonitor", "core.pager", "core.sshCommand",
                "core.askPass", "core.editor", "uploadpack.packObjectsHook"):  # fmt: skip
        git(checkout, "config", key, program)
    git(checkout, "config", "filter.lfs.required", "true")
    for hook in ("post-index-change", "post-checkout", "reference-transaction", "pre-commit"):
        (checkout / ".git" / "hooks").mkdir(exist_ok=True)
        (checkout / ".git" / "hooks" / hook).symlink_to(program)
    (checkout / "tracked.bin").write_bytes(b"changed\n")
    (checkout / "tracked.dat").write_bytes(b"changed\n")
    (checkout / "new.bin").write_bytes(b"new\n")
    (checkout / "b.py").write_bytes(b"new\n")
    mark.unlink(missing_ok=True)
    before = listing(checkout)
    code = recorded(checkout, tmp_path / "run")
    assert repository_at("x", checkout).dirty
    again = made_again(code.repositories, tmp_path / "run")
    assert not mark.exists()
    assert listing(checkout) == before
    why = "it goes through the filter lfs, which is not run"
    assert code.repositories[0].left_out == (f"tracked.bin: {why}", f"new.bin: {why}")
    assert (again / "tracked.bin").read_bytes() == b"as it was\n"
    assert (again / "tracked.dat").read_bytes() == b"changed\n"


def test_a_filter_with_an_odd_name_is_a_problem(tmp_path: Path, checkout: Path) -> None:
    program, mark = trap(tmp_path)
    git(checkout, "config", "filter.a=b.clean", program)
    (checkout / ".git" / "info" / "attributes").write_bytes(b"* filter=a=b\n")
    (checkout / "a.py").write_bytes(b"2\n")
    mark.unlink(missing_ok=True)
    assert "the filter a=b" in (record_code([("sd-scripts", checkout)]).repositories[0].problem or "")
    assert not mark.exists()


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
                                      "GIT_NAMESPACE", "GIT_TRACE", "GIT_CONFIG_PARAMETERS"])  # fmt: skip
def test_variables_of_another_repository_do_not_matter(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """kl may be started by a hook."""
    (checkout / "a.py").write_bytes(b"2\n")
    (checkout / "b.py").write_bytes(b"3\n")
    expected = record_code([("sd-scripts", checkout)])
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    assert record_code([("sd-scripts", checkout)]) == expected
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_cannot_be_read_is_left_out(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from launcher.record import work_tree

    def refuse(path: bytes, most: float) -> bytes:
        raise PermissionError(13, "Permission denied")

    (checkout / "a.py").write_bytes(b"2\n")
    monkeypatch.setattr(work_tree, "_read", refuse)
    assert left_out(checkout) == ("a.py: cannot be read: Permission denied",)


def test_pipes_and_devices_are_no_files(checkout: Path) -> None:
    os.mkfifo(checkout / "pipe")
    (checkout / "folder").mkdir()
    os.mkfifo(checkout / "folder" / "pipe")
    (checkout / "a.py").unlink()
    os.mkfifo(checkout / "a.py")
    record = record_code([("sd-scripts", checkout)]).repositories[0]
    assert record.problem is None
    assert [line for line in record.left_out if "pipe" in line] == []


def test_no_room_for_the_objects_is_a_problem(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from launcher.record import work_tree

    def full(folder: Path, standing: object) -> None:
        raise OSError(28, "No space left on device")

    (checkout / "a.py").write_bytes(b"2\n")
    monkeypatch.setattr(work_tree, "_Store", full)
    record = record_code([("sd-scripts", checkout)]).repositories[0]
    assert (record.dirty, record.tree, record.patch) == (True, None, None)
    assert record.problem is not None and "No space left" in record.problem


def test_without_git_the_commit_is_known(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    record = record_code([("sd-scripts", checkout / ".git" / "..")]).repositories[0]
    assert (record.commit, record.problem) == (commit, "git could not be asked: git is not installed")


def test_the_same_file_names_in_a_damaged_repository(checkout: Path) -> None:
    (checkout / ".git" / "index").write_bytes(b"not an index")
    record = record_code([("sd-scripts", checkout)]).repositories[0]
    assert record.problem is not None and "index" in record.problem


def test_commits_between(checkout: Path) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    second = commit_all(checkout)
    git(checkout, "checkout", "-q", "--detach", first)
    third, fourth = commit_all(checkout, "a"), commit_all(checkout, "b")
    assert commits_between(checkout, second, fourth) == (1, 2)
    assert commits_between(checkout, first, first) == (0, 0)
    assert commits_between(checkout, first, "b" * 40) is None
    assert commits_between(checkout, "--all", third) is None
    assert commits_between(checkout / "none", first, second) is None


def test_whether_a_commit_is_there(checkout: Path, tmp_path: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    tree = git(checkout, "rev-parse", "HEAD^{tree}")
    assert commit_there(RepositoryRecord("x", str(checkout), commit)) is True
    assert commit_there(RepositoryRecord("x", str(checkout), "b" * 40)) is False
    assert commit_there(RepositoryRecord("x", str(checkout), tree)) is False
    assert commit_there(RepositoryRecord("x", str(checkout))) is None
    assert commit_there(RepositoryRecord("x", str(tmp_path / "gone"), commit)) is None
    assert commit_there(RepositoryRecord("x", "https://example.org/x", commit)) is None


def test_a_checkout_whose_path_is_odd(tmp_path: Path) -> None:
    odd = new_repository(tmp_path / 'a "b": c\\d;\nü ')
    (odd / "a.py").write_bytes(b"2\n")
    (odd / "folder").mkdir()
    (odd / "folder" / "b.py").write_bytes(b"3\n")
    code = recorded(odd, tmp_path / "run")
    assert (code.repositories[0].path, code.repositories[0].problem) == (str(odd), None)
    assert files(made_again(code.repositories, tmp_path / "run")) == files(odd)


def test_recording_needs_no_python_module_for_git() -> None:
    import subprocess

    code = "import sys, launcher.record.archive; sys.exit('git' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
