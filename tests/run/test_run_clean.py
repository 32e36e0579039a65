"""Which runs may go, and what is done about it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.files import sha1_of, sha256_of
from launcher.record.manifest import Attempt, FileRecord, Manifest, read_manifest, write_manifest
from launcher.record.notes import add_note
from launcher.run import clean as clean_module
from launcher.run.clean import Cleaned, Facts, clean, find_to_clean, judge, reasons_to_stay, tidy
from launcher.run.cleanup import Keeps, Kept, Rules, Survey
from launcher.run.directory import held
from launcher.run.find import FoundRun, find_run, runs_in
from launcher.run.in_use import places_in_use
from launcher.run.outcome import Outcome
from launcher.run.process import RUN_VARIABLE
from launcher.run.removed import keep_record, removed_folder

NAME = "fox-v1s4"
SPEC = b"[network]\n"
HOST = os.uname().nodename
ENDED = Attempt(started="2026-01-01T00:00:00+00:00", ended="2026-01-01T00:01:00+00:00", host=HOST, log="sdscripts.log")
FAILED = replace(ENDED, exit_code=1, outcome="failed")
STOPPED = replace(ENDED, exit_code=130, stop_signal=2, outcome="stopped")
UNSEEN = replace(ENDED, ended=None, outcome="running", pid=2**22 + 7, pid_started=1.0)
RULES = Rules(lambda handle, path, status: None, lambda path: True)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def make_run(root: Path, *attempts: Attempt, name: str = NAME, outcome: str = "failed") -> FoundRun:
    directory = root / name
    directory.mkdir()
    (directory / "spec.toml").write_bytes(SPEC)
    (directory / "sdscripts.log").write_bytes(b"the log\n")
    files = (FileRecord("spec.toml", sha256=sha256_of(SPEC)),)
    final = (f"{name}.safetensors",)
    write_manifest(Manifest(name=name, files=files, final=final, attempts=attempts, outcome=outcome), directory)
    return FoundRun(name, directory)


def identities(folder: Path) -> dict[Path, tuple[int, ...]]:
    statuses = {path: path.lstat() for path in folder.rglob("*")}
    return {path: (each.st_ino, each.st_mode, each.st_size, each.st_mtime_ns) for path, each in statuses.items()}


def stays(run: FoundRun, root: Path) -> tuple[str, ...]:
    """Why a run stays, which is left as it is."""
    before = identities(run.directory)
    verdict = judge(run, [root], places_in_use())
    cleaned = clean(run, [root])
    assert not cleaned.gone and cleaned.verdict.stays == verdict.stays
    assert identities(run.directory) == before
    assert not removed_folder().exists() or not list(removed_folder().iterdir())
    return verdict.stays


# The decision.


def seen(*kept: Kept) -> Survey:
    return Survey(1, 2, None, RULES, kept=list(kept))


@pytest.mark.parametrize("outcome", [None, Outcome.PLANNED, Outcome.FAILED, Outcome.STOPPED, Outcome.LOST])
def test_what_left_nothing_may_go(outcome: Outcome | None) -> None:
    assert reasons_to_stay(Facts(outcome, found=seen())) == ()


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(Outcome.RUNNING, found=seen()), "it is running"),
        (Facts(Outcome.SUCCEEDED, found=seen()), "it succeeded"),
        (Facts(Outcome.FAILED, found=seen(), succeeded=True), "an earlier attempt of it succeeded"),
        (Facts(Outcome.FAILED, found=seen(), locked=True), "another kl is at work in it"),
        (Facts(Outcome.FAILED, found=seen(), processes=("7 (zsh)",)), "process 7 (zsh) is at work in it"),
        (Facts(Outcome.FAILED), "it cannot be read"),
        (Facts(problem="it is a link"), "it is a link"),
        (Facts(Outcome.LOST, found=seen(Kept("a", Keeps.MODEL))), "it has the model a"),
        (Facts(Outcome.LOST, found=seen(Kept("a", Keeps.STATE))), "it has the training state a"),
        (Facts(Outcome.LOST, found=seen(Kept("a", Keeps.SAMPLE))), "it has the sample a"),
        (Facts(Outcome.LOST, found=seen(Kept("a", Keeps.REPOSITORY))), "a git repository is in it: a"),
        (Facts(Outcome.LOST, found=seen(Kept("a", Keeps.LINK))), "a link is in it: a"),
        (Facts(Outcome.LOST, found=seen(Kept("a", Keeps.CHANGED))), "a file was changed by hand: a"),
        (Facts(Outcome.LOST, found=seen(Kept("a", Keeps.UNREADABLE))), "it cannot be read: a"),
        (Facts(Outcome.LOST, found=seen(Kept("a", Keeps.MOUNT))), "another file system is mounted in it: a"),
        (Facts(Outcome.LOST, found=seen(Kept("a", Keeps.FOREIGN))), "neither kl nor the trainer made a"),
    ],
)
def test_why_it_stays(facts: Facts, reason: str) -> None:
    assert reasons_to_stay(facts) == (reason,)


def test_the_weightiest_reason_comes_first() -> None:
    found = seen(Kept("a.txt", Keeps.FOREIGN), Kept("b.safetensors", Keeps.MODEL))
    reasons = reasons_to_stay(Facts(Outcome.FAILED, found=found))
    assert reasons == ("it has the model b.safetensors", "neither kl nor the trainer made a.txt")


# What is there.


@pytest.mark.parametrize("attempts", [(FAILED,), (STOPPED,), (FAILED, STOPPED), (UNSEEN,), ()])
def test_a_run_that_left_nothing_goes_and_its_record_is_kept(root: Path, attempts: tuple[Attempt, ...]) -> None:
    run = make_run(root, *attempts)
    assert judge(run, [root], places_in_use()).goes
    assert run.directory.exists()
    cleaned = clean(run, [root])
    assert cleaned.gone and cleaned.record is not None
    assert list(root.iterdir()) == []
    assert (cleaned.record / "sdscripts.log").read_bytes() == b"the log\n"
    assert find_run(NAME, [root]).directory == cleaned.record
    outcome = read_manifest(cleaned.record).outcome
    assert outcome != "running"  # an end that nobody saw is written down first


def test_a_run_that_left_something_stays(root: Path) -> None:
    run = make_run(root, FAILED)
    (run.directory / f"{NAME}-step00000002.safetensors").write_bytes(b"precious")
    (run.directory / "notes\n.txt").write_bytes(b"precious")
    assert stays(run, root) == (
        f"it has the model {NAME}-step00000002.safetensors", "neither kl nor the trainer made notes\n.txt",
    )  # fmt: skip


def test_a_run_that_succeeded_stays_though_its_model_was_moved(root: Path) -> None:
    run = make_run(root, replace(ENDED, exit_code=0, outcome="succeeded"), outcome="succeeded")
    assert stays(run, root) == ("it succeeded",)
    (run.directory / f"{NAME}.safetensors").write_bytes(b"whole")
    assert stays(run, root) == ("it succeeded",)


def test_a_run_elsewhere_or_under_another_name_stays(root: Path, tmp_path: Path) -> None:
    run = make_run(root, FAILED)
    assert judge(run, [tmp_path], {}).stays == ("it is not in an output root",)
    assert judge(run, [], {}).stays == ("it is not in an output root",)
    copy = FoundRun("copy", root / "copy")
    shutil.copytree(run.directory, copy.directory)
    assert stays(copy, root) == (f"it was copied or renamed: its run.json is of {NAME}",)
    link = FoundRun("link", root / "link")
    link.directory.symlink_to(run.directory)
    assert stays(link, root) == ("it is a link",)


def test_a_folder_that_is_reached_through_a_link_is_not_in_the_root(root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = make_run(elsewhere, FAILED)
    (root / "link").symlink_to(elsewhere)
    assert stays(FoundRun(NAME, root / "link" / NAME), root) == ("it is not in an output root",)
    assert run.directory.exists()


def test_a_root_may_be_a_link(root: Path, tmp_path: Path) -> None:
    make_run(root, FAILED)
    (tmp_path / "linked").symlink_to(root)
    (run,) = runs_in([tmp_path / "linked"])
    assert clean(run, [tmp_path / "linked"]).gone


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "its run.json cannot be read"),
        ("[]", "its run.json cannot be read"),
        ('{"manifest_version": 1, "name": ["x"]}', "its run.json is damaged"),
        ('{"manifest_version": 1, "name": "../x"}', "it was copied or renamed: its run.json is of ../x"),
        ('{"manifest_version": 1, "name": "fox-v1s4", "files": [{"name": {}}]}', "its run.json is damaged"),
        ('{"manifest_version": 1, "name": "fox-v1s4", "attempts": [{"pid": "x"}]}', "its run.json is damaged"),
        ('{"manifest_version": 1, "name": "fox-v1s4", "final": ["a\\u0000b"]}', "its run.json is damaged"),
        ('{"manifest_version": 1, "name": "fox-v1s4", "attempts": [{"log": "\\ud800"}]}', "its run.json is damaged"),
        ('{"manifest_version": 1, "name": "fox-v1s4", "attempts": [{"log": 5}]}', "its run.json is damaged"),
        ('{"manifest_version": 1, "name": "fox-v1s4", "attempts": [{"host": 5}]}', "its run.json is damaged"),
    ],
)  # fmt: skip
def test_a_manifest_that_cannot_be_believed_keeps_the_run(root: Path, text: str, reason: str) -> None:
    run = make_run(root, FAILED)
    (run.directory / "run.json").write_text(text, encoding="utf-8")
    assert stays(run, root) == (reason,)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder to another user")
def test_another_users_run_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(root, FAILED)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert stays(run, root) == ("it is another user's",)
    os.chown(run.directory, 65534, 65534)
    assert clean(run, [root]).gone


def test_a_removed_run_is_not_removed_again(root: Path) -> None:
    assert clean(make_run(root, FAILED), [root]).gone
    run = find_to_clean(NAME, [root])
    assert run.removed
    assert clean(run, [root]).verdict.stays == ("it was removed already",)
    assert run.directory.exists()


# Who is at work in it.


@contextmanager
def another(
    code: str, *words: str, cwd: Path | None = None, variables: Mapping[str, str] | None = None
) -> Iterator[psutil.Process]:
    """Another process that has done `code` and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"{code}\nprint(flush=True)\nimport sys\nsys.stdin.read()", *words],
        cwd=cwd, env={**os.environ, **(variables or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.communicate()


def test_a_process_that_stands_in_it_keeps_it(root: Path) -> None:
    run = make_run(root, FAILED)
    (run.directory / "logs").mkdir()
    with another("", cwd=run.directory / "logs") as process:
        assert stays(run, root) == (f"process {process.pid} ({process.name()}) is at work in it",)
    assert clean(run, [root]).gone


def test_a_process_that_writes_into_it_keeps_it_a_reader_does_not(root: Path) -> None:
    run = make_run(root, FAILED)
    log = str(run.directory / "sdscripts.log")
    with another("import sys; file = open(sys.argv[1], 'ab')", log) as process:
        assert stays(run, root) == (f"process {process.pid} ({process.name()}) is at work in it",)
    if sys.platform == "linux":
        with another("import sys; file = open(sys.argv[1], 'rb')", log):
            assert clean(run, [root]).gone


def test_a_process_of_the_run_keeps_it(root: Path) -> None:
    run = make_run(root, FAILED)
    with another("", variables={RUN_VARIABLE: str(run.directory)}) as process:
        assert stays(run, root) == (f"process {process.pid} ({process.name()}) is at work in it",)
    assert clean(run, [root]).gone


def test_the_process_of_an_earlier_attempt_keeps_it(root: Path) -> None:
    with another("") as process:
        first = replace(FAILED, pid=process.pid, pid_started=process.create_time())
        run = make_run(root, first, STOPPED)
        assert stays(run, root) == (f"process {process.pid} ({process.name()}) is at work in it",)
    assert clean(run, [root]).gone


def test_a_running_run_stays(root: Path) -> None:
    with another("") as process:
        run = make_run(root, replace(UNSEEN, pid=process.pid, pid_started=process.create_time()))
        assert stays(run, root) == ("it is running",)


def test_a_run_of_another_machine_stays_while_its_log_is_fresh(root: Path) -> None:
    run = make_run(root, replace(UNSEEN, host="another-machine"))
    assert stays(run, root) == ("it is running",)
    os.utime(run.directory / "sdscripts.log", (1e9, 1e9))
    assert clean(run, [root]).gone


def test_a_run_that_is_held_stays(root: Path) -> None:
    run = make_run(root, FAILED)
    with held(run.directory) as mine:
        assert mine
        assert clean(run, [root]).verdict.stays == ("another kl is at work in it",)
    planned = make_run(root, name="owl-v1s4")
    with held(planned.directory):
        assert stays(planned, root) == ("another kl is at work in it",)
    assert clean(run, [root]).gone and clean(planned, [root]).gone


# What a killed launch left before its record was whole.

KNOWN_FORM = f"/sd-scripts: (main) {'a' * 40}\n/specs/fox.toml: {sha1_of(SPEC)}\n".encode()


def half_made(root: Path, **files: bytes) -> Cleaned:
    """Clean up a directory with these files in it; `_` in a name stands for a dot, `__` for a hyphen."""
    (root / NAME).mkdir(exist_ok=True)
    for name, content in files.items():
        (root / NAME / name.replace("__", "-").replace("_", ".")).write_bytes(content)
    before = sorted((path.name, path.read_bytes()) for path in (root / NAME).iterdir())
    cleaned = clean(find_to_clean(NAME, [root]), [root])
    if not cleaned.gone:
        assert sorted((path.name, path.read_bytes()) for path in (root / NAME).iterdir()) == before
    assert cleaned.record is None
    return cleaned


FIRST_MANIFEST = f'{{"manifest_version": 1, "name": "{NAME}"}}'.encode()


@pytest.mark.parametrize(
    "files",
    [
        {}, {"repos_git": b""}, {"repos_git": KNOWN_FORM}, {"repos_git": KNOWN_FORM, "spec_toml": SPEC},
        {"repos_git": KNOWN_FORM, "spec_toml": b"", "_run_json_abc_partial": b"{"}, {"run_json": FIRST_MANIFEST},
        {"run_json": FIRST_MANIFEST, "repos_git": KNOWN_FORM, "spec_toml": SPEC, "_run_json_abc_partial": b"{"},
        {"repos_git": KNOWN_FORM, "template__base_toml": SPEC},
    ],
)  # fmt: skip
def test_what_kl_has_surely_written_goes(root: Path, files: dict[str, bytes]) -> None:
    assert half_made(root, **files).gone
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"spec_toml": SPEC}, "neither kl nor the trainer made spec.toml"),
        ({"spec_toml": b""}, "neither kl nor the trainer made spec.toml"),
        ({"repos_git": b"", "spec_toml": b""}, "a file was changed by hand: spec.toml"),
        ({"repos_git": KNOWN_FORM, "spec_toml": b"edited"}, "a file was changed by hand: spec.toml"),
        ({"repos_git": KNOWN_FORM, "notes_txt": SPEC}, "it has a note, in notes.txt"),
        ({"repos_git": KNOWN_FORM, "sdscripts_log": b""}, "neither kl nor the trainer made sdscripts.log"),
        ({"repos_git": b"something else"}, "neither kl nor the trainer made repos.git"),
        ({"repos_git": KNOWN_FORM, "x_safetensors": SPEC}, "it has the model x.safetensors"),
        ({"run_json": FIRST_MANIFEST, "spec_toml": SPEC}, "neither kl nor the trainer made spec.toml"),
    ],
)
def test_what_may_be_somebodys_stays(root: Path, files: dict[str, bytes], reason: str) -> None:
    assert half_made(root, **files).verdict.stays == (reason,)


def test_what_has_no_manifest_is_found_only_by_its_name(root: Path) -> None:
    (root / NAME).mkdir()
    assert list(runs_in([root])) == []
    assert find_to_clean(NAME, [root]).directory == root / NAME
    assert find_to_clean(str(root / NAME), []).directory == root / NAME
    (root / "link").symlink_to(root / NAME)
    (root / "file").touch()
    for target in ("link", "file", "missing", str(root / "missing"), "a\0b"):
        with pytest.raises(KlError) as error:
            find_to_clean(target, [root])
        assert error.value.code is ExitCode.USAGE
    assert clean(make_run(root, FAILED, name="owl-v1s4"), [root]).gone
    (root / "owl-v1s4").mkdir()
    assert find_to_clean("owl-v1s4", [root]).directory == root / "owl-v1s4"  # rather than the record


def test_what_has_no_manifest_is_held_by_who_writes_it(root: Path) -> None:
    (root / NAME).mkdir()
    with held(root / NAME):
        assert clean(FoundRun(NAME, root / NAME), [root]).verdict.stays == ("another kl is at work in it",)


# When it cannot be done.


def test_a_full_disk_under_the_state_folder_keeps_the_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = make_run(root, FAILED)
    monkeypatch.setattr("shutil.copyfileobj", full)
    cleaned = clean(run, [root])
    reason = "its log and manifest could not be kept in the state folder: No space left on device"
    assert cleaned.verdict.stays == (reason,)
    assert {path.name for path in run.directory.iterdir()} == {"run.json", "spec.toml", "sdscripts.log"}
    assert list(removed_folder().iterdir()) == []


def test_a_state_folder_that_cannot_be_made_keeps_the_run(root: Path, tmp_path: Path) -> None:
    run = make_run(root, FAILED)
    (tmp_path / "state").write_bytes(b"a file")
    cleaned = clean(run, [root])
    assert not cleaned.gone and "could not be kept in the state folder" in cleaned.verdict.stays[0]
    assert run.directory.exists()


def test_what_is_saved_after_the_decision_keeps_the_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(root, FAILED)

    def save_then(directory: Path, manifest: Manifest) -> Path:
        (directory / f"{NAME}.safetensors").write_bytes(b"precious")
        return keep_record(directory, manifest)

    monkeypatch.setattr(clean_module, "keep_record", save_then)
    assert clean(run, [root]).verdict.stays == ("it was changed while it was removed",)
    assert {path.name for path in run.directory.iterdir()} == {
        "run.json", "spec.toml", "sdscripts.log", f"{NAME}.safetensors",
    }  # fmt: skip
    assert list(removed_folder().iterdir()) == []


# At the end of a launch.


def test_a_run_that_just_ended_is_tidied_away(root: Path) -> None:
    run = make_run(root, FAILED)
    manifest = read_manifest(run.directory)
    with held(run.directory):
        tidied = tidy(run.directory, manifest, Outcome.FAILED)
    assert tidied.gone and tidied.record is not None and not run.directory.exists()


def test_a_run_that_just_ended_stays_with_what_is_of_worth_or_at_work(root: Path) -> None:
    run = make_run(root, FAILED)
    manifest = read_manifest(run.directory)
    assert tidy(run.directory, manifest, Outcome.SUCCEEDED).stays == ("it succeeded",)
    with another("", cwd=run.directory) as process:
        tidied = tidy(run.directory, manifest, Outcome.FAILED)
        assert tidied.stays == (f"process {process.pid} ({process.name()}) is at work in it",)
    (run.directory / "mine.txt").touch()
    assert tidy(run.directory, manifest, Outcome.FAILED).stays == ("neither kl nor the trainer made mine.txt",)
    (run.directory / "mine.txt").unlink()
    add_note(run.directory, "why did it fail?")
    assert tidy(run.directory, manifest, Outcome.FAILED).stays == ("it has a note, in notes.txt",)
    assert run.directory.exists()


def test_a_manifest_that_is_damaged_after_the_decision_keeps_the_run(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(root, FAILED)

    def damaged(directory: Path) -> None:
        (directory / "run.json").write_bytes(b"{")
        read_manifest(directory)

    monkeypatch.setattr(clean_module, "settle", damaged)
    assert clean(run, [root]).verdict.stays == ("its run.json cannot be read",)
    assert run.directory.exists()
