"""`kl demo` and what follows it, with the real command: a LoRA is trained for every run here."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_bed import SOURCE, Ended

from launcher.demo.layout import NAME, missing_packages

pytestmark = pytest.mark.skipif(
    bool(missing_packages()), reason=f"the demo trains for real and needs {', '.join(missing_packages())}"
)


@dataclass(frozen=True)
class Demo:
    """A user's home after `kl demo`, and how that ended."""

    root: Path
    ended: Ended

    @property
    def folder(self) -> Path:
        return self.root / "here" / "kl-demo"

    @property
    def run(self) -> Path:
        return self.folder / "output" / NAME

    def kl(self, *words: str, **environ: str) -> Ended:
        return _kl(self.root, self.folder, *words, OUTPUT_DIR=str(self.folder / "output"), **environ)

    def names(self) -> set[str]:
        """Every file outside kl's cache; git's own files come and go."""
        paths = (path for path in self.root.rglob("*") if not {".cache", ".git", "__pycache__"} & set(path.parts))
        return {str(path.relative_to(self.root)) for path in paths}


def _kl(root: Path, folder: Path, *words: str, **environ: str) -> Ended:
    home = str(root / "home")
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR")}
    done = subprocess.run(
        [sys.executable, "-m", "launcher", *words],
        cwd=folder,
        env={
            **kept, "HOME": home, "PYTHONPATH": str(SOURCE), "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": f"{home}/.config",
            "XDG_CACHE_HOME": f"{home}/.cache", "XDG_STATE_HOME": f"{home}/.state", **environ,
        },
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    root = tmp_path_factory.mktemp("e2e")
    for name in ("home", "here"):
        (root / name).mkdir()
    return Demo(root, _kl(root, root / "here", "demo"))


def test_the_demo_succeeds(demo: Demo) -> None:
    assert demo.ended.code == 0, demo.ended.err
    assert f"{NAME} succeeded after 60 steps" in demo.ended.out
    assert "Now a real one" in demo.ended.out and "not\nsd-scripts" in demo.ended.out


def test_the_run_directory_is_whole(demo: Demo) -> None:
    there = {path.name for path in demo.run.iterdir()}
    saves = {f"{NAME}-step{step:08d}{suffix}" for step in (20, 40, 60) for suffix in (".safetensors", "-state")}
    expected = {"run.json", "repos.git", "spec.toml", "config.toml", "sample-prompts.txt", "sdscripts.log", "logs"}
    assert expected | saves | {"sample", f"{NAME}.safetensors", f"{NAME}-state"} <= there
    assert len(list((demo.run / "sample").glob("*.png"))) == 6
    assert list((demo.run / "logs").rglob("events.out.tfevents.*"))
    assert (demo.run / "spec.toml").read_bytes() == (demo.folder / "specs" / "shapes.toml").read_bytes()
    for name in ("config.toml", "sample-prompts.txt"):
        assert (demo.run / name).read_bytes() == (demo.folder / "datasets" / "shapes" / name).read_bytes()


def test_the_record_is_true(demo: Demo) -> None:
    checkout = demo.folder / "sd-scripts-demo"
    commit = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    lines = dict(line.split(": ", 1) for line in (demo.run / "repos.git").read_text().splitlines())
    assert lines.pop(str(checkout)) == f"(main) {commit}"
    assert str(demo.folder / "specs" / "shapes.toml") in lines
    for path, sha1 in lines.items():
        assert hashlib.sha1(Path(path).read_bytes(), usedforsecurity=False).hexdigest() == sha1
    manifest = json.loads((demo.run / "run.json").read_text())
    assert manifest["name"] == NAME and manifest["outcome"] == "succeeded"
    assert manifest["trainer"]["commit"] == commit and manifest["trainer"]["dirty"] is False


def test_all_is_as_recorded_and_a_launch_now_would_be_the_same(demo: Demo) -> None:
    ended = demo.kl("verify", NAME)
    assert (ended.code, ended.err) == (0, "") and ended.out.endswith("Everything is as recorded.\n")
    ended = demo.kl("diff", NAME, "specs/shapes.toml")
    assert (ended.code, ended.err) == (0, "") and ended.out.endswith("They are the same.\n")
    caption = next((demo.folder / "datasets").rglob("img/*.txt"))
    before = caption.read_bytes()
    try:
        caption.write_text("another caption")
        ended = demo.kl("verify", NAME)
        assert ended.code == 1 and f"{caption.parent.name}/{caption.name} is another caption now" in ended.out
        (found,) = json.loads(demo.kl("diff", NAME, "specs/shapes.toml", "--json").out)["differences"]
        assert (found["section"], found["b"], found["note"]) == ("dataset", "another caption", "caption changed")
    finally:
        caption.write_bytes(before)


def test_the_loss_went_down(demo: Demo) -> None:
    log = (demo.run / "sdscripts.log").read_text(encoding="utf-8", errors="replace")
    losses = [float(text) for text in re.findall(r"avr_loss=([0-9.]+)", log)]
    assert len(losses) > 10 and losses[-1] < 0.7 * losses[0]


def test_the_same_name_again(demo: Demo) -> None:
    before = demo.names()
    ended = demo.kl("launch", NAME)
    assert ended.code == 73 and NAME in ended.err and "Traceback" not in ended.err
    assert demo.names() == before


def test_a_typo(demo: Demo) -> None:
    before = demo.names()
    ended = demo.kl("launch", "shapes-v7s4", "--set", "lerning_rate=1")
    assert ended.code == 65 and "Did you mean learning_rate?" in ended.err
    assert demo.names() == before


FAILING = {"KL_DEMO_FAIL_AT_STEP": "2", "KL_DEMO_FAIL_MESSAGE": "the test wants it so"}


def test_a_failing_trainer_leaves_its_log_in_the_state_folder(demo: Demo) -> None:
    ended = demo.kl("launch", "shapes-v8s4", **FAILING)
    assert ended.code == 1
    assert "the test wants it so" in ended.err and "failed" in ended.out
    assert not (demo.folder / "output" / "shapes-v8s4").exists()
    logs = [path for path in (demo.root / "home" / ".state").rglob("sdscripts.log") if "shapes-v8s4" in str(path)]
    assert len(logs) == 1 and "the test wants it so" in logs[0].read_text(encoding="utf-8")


def test_no_clean_keeps_a_failed_run(demo: Demo) -> None:
    ended = demo.kl("launch", "shapes-v9s4", NO_CLEAN="1", **FAILING)
    kept = demo.folder / "output" / "shapes-v9s4"
    assert ended.code == 1 and "the test wants it so" in (kept / "sdscripts.log").read_text(encoding="utf-8")
    assert json.loads((kept / "run.json").read_text())["outcome"] == "failed"
