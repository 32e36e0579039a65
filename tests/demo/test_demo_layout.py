"""Laying out the demo."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.demo import layout
from launcher.demo.layout import lay_out, missing_packages
from launcher.trainer.checkout import open_checkout
from launcher.trainer.reader import read_options


def git(checkout: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(checkout), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def loaded(path: Path) -> ModuleType:
    """A module of the checkout by itself, without putting the checkout on the module path."""
    spec = importlib.util.spec_from_file_location(f"demo_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lays_out_a_checkout_a_dataset_and_a_spec(tmp_path: Path) -> None:
    demo = lay_out(tmp_path / "new" / "demo")
    assert demo.name == "shapes-v1s60"
    assert {"train_network.py", "sdxl_train_network.py", "library", "README.md", "LICENSE"} <= {
        path.name for path in demo.checkout.iterdir()
    }
    assert (demo.spec.parent / "../sd-scripts-demo").resolve() == demo.checkout
    assert (demo.spec.parent / "../datasets/shapes").resolve() == demo.dataset
    pictures = sorted((demo.dataset / "img").glob("*.png"))
    assert len(pictures) == 8
    assert all(picture.with_suffix(".txt").read_text().strip() for picture in pictures)
    assert (demo.dataset / "sample-prompts.txt").is_file()
    assert git(demo.checkout, "status", "--porcelain") == ""
    assert git(demo.checkout, "rev-list", "--count", "HEAD") == "1"
    assert not [path for path in demo.checkout.parent.rglob(".*") if path.parent != demo.checkout]


def test_every_layout_has_the_same_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lay_out(tmp_path / "one")
    settings = tmp_path / "gitconfig"
    settings.write_text("[user]\nname = Somebody\n[commit]\ngpgsign = true\n[core]\nautocrlf = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody Else")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    before = os.umask(0o077)
    try:
        second = lay_out(tmp_path / "two")
    finally:
        os.umask(before)
    monkeypatch.undo()
    assert git(first.checkout, "rev-parse", "HEAD") == git(second.checkout, "rev-parse", "HEAD")
    assert git(first.checkout, "log", "-1", "--format=%ae %cI") == "demo@kl.invalid 2026-01-01T00:00:00+00:00"
    assert files(first.checkout) == files(second.checkout)
    assert files(first.dataset / "img") == files(second.dataset / "img")


def test_laying_out_again_changes_nothing(tmp_path: Path) -> None:
    demo = lay_out(tmp_path)
    commit, before = git(demo.checkout, "rev-parse", "HEAD"), files(tmp_path)
    assert lay_out(tmp_path) == demo
    assert git(demo.checkout, "rev-parse", "HEAD") == commit
    assert files(tmp_path) == before


def test_leaves_what_the_user_changed(tmp_path: Path) -> None:
    demo = lay_out(tmp_path)
    script = demo.checkout / "train_network.py"
    script.write_text("# mine\n")
    (demo.checkout / "library" / "__pycache__").mkdir()
    (demo.checkout / "library" / "__pycache__" / "utils.pyc").write_bytes(b"")
    demo.spec.write_text("# mine too\n")
    (demo.dataset / "img" / "01-red-circle.txt").write_text("a ball\n")
    next((demo.dataset / "img").glob("02-*.png")).unlink()
    before = files(tmp_path)
    lay_out(tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("change", ["untracked", "committed", "stashed"])
def test_an_older_checkout_with_changes_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    demo = older_layout(tmp_path, monkeypatch)
    (demo.checkout / "mine.py").write_text("# mine\n")
    who = ("-c", "user.name=me", "-c", "user.email=me@example.com")
    if change == "committed":
        git(demo.checkout, "add", "mine.py")
        git(demo.checkout, *who, "commit", "--message=mine")
    elif change == "stashed":
        git(demo.checkout, *who, "stash", "--include-untracked")
    before = git(demo.checkout, "rev-parse", "HEAD")
    lay_out(tmp_path)
    assert git(demo.checkout, "rev-parse", "HEAD") == before


def test_an_older_checkout_that_nobody_touched_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = older_layout(tmp_path, monkeypatch)
    lay_out(tmp_path)
    assert git(demo.checkout, "rev-parse", "HEAD") == git(lay_out(tmp_path / "new").checkout, "rev-parse", "HEAD")
    assert not (demo.checkout / "old.py").exists()


def older_layout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> layout.Demo:
    """The demo as an earlier kl would have laid it out: other files, the same author."""
    sources = folder / "older-sources"
    (sources / "library").mkdir(parents=True)
    for name in ("train_network.py", "old.py", "library/__init__.py"):
        (sources / name).write_text("# of an earlier version\n")
    with monkeypatch.context() as patch:
        patch.setattr(layout, "SOURCES", sources)
        return lay_out(folder)


def test_something_else_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sd-scripts-demo").mkdir()
    with pytest.raises(KlError) as refused:
        lay_out(tmp_path)
    assert refused.value.code is ExitCode.OUTPUT_UNAVAILABLE
    assert refused.value.hint


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    with pytest.raises(KlError) as refused:
        lay_out(tmp_path / "demo")
    assert refused.value.code is ExitCode.OUTPUT_UNAVAILABLE


def test_without_git_it_says_to_install_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KlError) as refused:
        lay_out(tmp_path / "demo")
    assert refused.value.code is ExitCode.ENVIRONMENT_NOT_READY
    assert "git" in (refused.value.hint or "")
    assert not list((tmp_path / "demo").glob("*sd-scripts-demo*"))


def test_odd_folder_names_survive_the_dataset_config(tmp_path: Path) -> None:
    toml = pytest.importorskip("toml")
    demo = lay_out(tmp_path / 'Ordner "ü" \\ x')
    config = toml.load(demo.dataset / "config.toml")
    assert Path(config["datasets"][0]["subsets"][0]["image_dir"]) == demo.dataset / "img"


def test_laying_out_loads_neither_torch_nor_pillow(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from launcher.demo.layout import lay_out, missing_packages\n"
        "missing_packages(); lay_out(pathlib.Path(sys.argv[1]))\n"
        "print(sorted({'torch', 'PIL', 'accelerate', 'lycoris', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_names_the_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "PACKAGES", ("json", "no_such_package_anywhere"))
    assert missing_packages() == ("no_such_package_anywhere",)


def test_pictures_are_what_an_imaging_library_reads(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    demo = lay_out(tmp_path)
    with image.open(demo.dataset / "img" / "01-red-circle.png") as picture:
        picture.load()
        assert (picture.size, picture.mode) == ((64, 64), "RGB")
        assert picture.getpixel((32, 32)) == (204, 44, 52)
        assert picture.getpixel((1, 1)) == (236, 232, 224)


@pytest.mark.parametrize(
    ("step", "every", "window", "removed"),
    [(50, 10, 30, 10), (40, 10, 30, 0), (30, 10, 30, None), (60, 20, 20, 20), (60, 20, 19, 40), (60, 20, None, None)],
)
def test_a_window_of_steps_is_kept(step: int, every: int, window: int | None, removed: int | None) -> None:
    assert loaded(layout.SOURCES / "library" / "file_names.py").step_to_remove(step, every, window) == removed


@pytest.mark.parametrize(
    ("epoch", "every", "count", "removed"), [(6, 2, 2, 2), (4, 2, 2, 0), (2, 2, 2, None), (6, 2, None, None)]
)
def test_a_number_of_epochs_is_kept(epoch: int, every: int, count: int | None, removed: int | None) -> None:
    assert loaded(layout.SOURCES / "library" / "file_names.py").epoch_to_remove(epoch, every, count) == removed


def test_the_options_called_used_are_those_the_source_reads() -> None:
    used = next(
        set(ast.literal_eval(node.value.args[0]))
        for node in ast.walk(ast.parse((layout.SOURCES / "library" / "unused_options.py").read_text()))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
    )
    read = {
        node.attr
        for path in layout.SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and (getattr(node.value, "id", "") == "args" or getattr(node.value, "attr", "") == "args")
    }
    # Attention is always PyTorch's own here: --sdpa asks for what it gets.
    assert read | {"sdpa"} == used


def test_the_trainer_is_typed(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    settings = tmp_path / "mypy.ini"
    settings.write_text(
        "[mypy]\nstrict = True\npython_version = 3.10\ndisallow_subclassing_any = False\n"
        "[mypy-torch.*,lycoris.*,accelerate.*,safetensors.*,PIL.*,tqdm.*,numpy.*,toml.*]\n"
        "ignore_missing_imports = True\nfollow_imports = skip\n"
    )
    demo = lay_out(tmp_path / "demo")
    command = [
        sys.executable, "-m", "mypy", f"--config-file={settings}", f"--cache-dir={tmp_path / 'cache'}",
        "--explicit-package-bases", ".",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=demo.checkout, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_spec_holds_options_of_the_trainer_only(tmp_path: Path) -> None:
    toml = pytest.importorskip("toml")
    demo = lay_out(tmp_path)
    spec = toml.load(demo.spec)
    tables = {name: table for name, table in spec.items() if name not in ("run", "accelerate", "network_args")}
    written = {key for table in tables.values() for key in table}
    assert "--network_args" in (demo.checkout / "train_network.py").read_text()
    options = {option.name for option in read_options(open_checkout(demo.checkout), "train_network.py").options}
    assert written <= options
    assert (demo.checkout / spec["run"]["script"]).is_file()
    assert f"v1s{spec['saving']['save_every_n_steps'] * 3}" in demo.name
