"""The user's own configuration file, and where the checkout is."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Source
from launcher.setup.checkouts import find_checkout
from launcher.setup.user_config import read_user_config


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, in a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SD_REPO", raising=False)
    folder = tmp_path / "config"
    folder.mkdir()
    monkeypatch.setattr("launcher.setup.user_config.config_folder", lambda: folder)
    monkeypatch.chdir(tmp_path)
    return folder / "config.toml"


def test_without_a_file(tmp_path: Path) -> None:
    read = read_user_config()
    assert read.settings == () and read.datasets_root == tmp_path / "datasets"
    assert read.spec_folders[:2] == (tmp_path, tmp_path / "specs")


def test_folders_and_defaults(tmp_path: Path, config: Path) -> None:
    config.write_text(
        'datasets_root = "~/d"\nspec_folders = ["~/s", "here"]\ntemplate_folders = "t"\n[run]\nsd_scripts = "~/sd"\n'
    )
    read = read_user_config()
    assert read.datasets_root == tmp_path / "d"
    assert read.spec_folders[2:4] == (tmp_path / "s", config.parent / "here")
    assert read.template_folders[0] == config.parent / "t"
    assert [(item.path, item.origin.source) for item in read.settings] == [("run.sd_scripts", Source.CONFIG)]
    assert find_checkout(None) == tmp_path / "sd"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dataset_root = 'x'", "datasets_root"),
        ("learning_rate = 1", "[run], [env], [accelerate]"),
        ("[network_args]\na = 1", "[run]"),
        ("extends = 'sdxl-locon'", "[run]"),
        ("datasets_root = ['a']", ""),
        ("spec_folders = [1]", ""),
        ("spec_folders = ''", ""),
    ],
)
def test_refused(config: Path, text: str, said: str) -> None:
    config.write_text(text)
    with pytest.raises(KlError) as caught:
        read_user_config()
    assert caught.value.code is ExitCode.SPEC_REFUSED and said in (caught.value.hint or "")
    assert "config.toml:" in (caught.value.where or "")


def test_where_the_checkout_is(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KlError) as caught:
        find_checkout(None)
    assert caught.value.code is ExitCode.ENVIRONMENT_NOT_READY
    (tmp_path / "sd-scripts").mkdir()
    assert find_checkout(None) == tmp_path / "sd-scripts"
    config.write_text('[run]\nsd_scripts = "other"\n')
    assert find_checkout(None) == config.parent / "other"
    monkeypatch.setenv("SD_REPO", "/stronger")
    assert find_checkout(None) == Path("/stronger")
    assert find_checkout(Path("/strongest")) == Path("/strongest")
