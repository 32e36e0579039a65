"""The user's own configuration file, and where the checkout is."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting
from launcher.plan.tables import read_own_tables, written_path
from launcher.setup.checkouts import FoundCheckout, checkout_of, find_checkout
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
        ("run = 'x'", "Did you mean [run]?"),
        ("[checkout]\na = 'x'", "Did you mean [checkouts]?"),
        ("[checkouts]\n'a/b' = 'x'", "letters"),
        ("[checkouts.a]\nb = 'x'", "FOLDER"),
        ("[checkouts]\na = ['x']", ""),
        ("[environments]\na = 'x'", "[environments.NAME]"),
        ("[environments.a]\nkid = 'venv'", "Did you mean kind?"),
        ("[environments.a]\nkind = 'docker'", "conda, venv, python"),
        ("[environments.a]\nkind = 'venv'", "path"),
        ("[environments.a]\nkind = 'venv'\nname = 'x'", "path"),
        ("[environments.a]\npath = 'p'\nname = 'x'", "Keep one of them."),
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


def test_checkouts_and_environments_have_names(tmp_path: Path, config: Path) -> None:
    config.write_text(
        '[checkouts]\nsd3 = "~/sd3"\n"v0.10" = "old"\n'
        '[environments.sdxl]\npath = "$NOT_SET_AT_ALL/v"\n[environments.c]\nname = "kohya"\n'
    )
    read = read_user_config()
    assert {name: written_path(each) for name, each in read.checkouts.items()} == {
        "sd3": tmp_path / "sd3",
        "v0.10": config.parent / "old",
    }
    assert (read.environments["c"].kind, read.environments["c"].conda) == ("conda", "kohya")
    assert read.environments["sdxl"].kind is None and read.environments["sdxl"].where == "config/config.toml:5"


def _checkout(*settings: Setting) -> FoundCheckout:
    read = read_user_config()
    return checkout_of(read_own_tables([*read.settings, *settings]), read)


def _says(value: str, source: Source = Source.SPEC) -> Setting:
    folder = Path.cwd()
    return Setting(("run",), "sd_scripts", value, Origin(source, "fox.toml", folder / "fox.toml", 2))


def test_a_spec_names_a_checkout_of_the_configuration(tmp_path: Path, config: Path) -> None:
    config.write_text('[checkouts]\nsd3 = "~/sd3"\nflux = "~/flux"\n')
    assert _checkout(_says("sd3")) == FoundCheckout(tmp_path / "sd3")
    assert _checkout(_says("./sd3")).path == tmp_path / "sd3"
    assert _checkout(_says("fluxx/x")).path == tmp_path / "fluxx" / "x"
    assert _checkout(_says("sd3", Source.SET)).path == tmp_path / "sd3"
    assert find_checkout(Path("flux")) == tmp_path / "flux"


def test_sd_repo_is_a_path(tmp_path: Path, config: Path) -> None:
    config.write_text('[checkouts]\nsd3 = "~/elsewhere"\n')
    assert _checkout(_says("sd3", Source.ENVIRONMENT)).path == tmp_path / "sd3"


def test_a_name_that_is_not_configured(tmp_path: Path, config: Path) -> None:
    config.write_text('[checkouts]\nsd3-branch = "~/sd3"\nflux = "~/flux"\n')
    with pytest.raises(KlError) as caught:
        _checkout(_says("sd3-brunch"))
    assert caught.value.hint == "Did you mean sd3-branch? Configured are: flux, sd3-branch."
    assert (caught.value.code, caught.value.where) == (ExitCode.ENVIRONMENT_NOT_READY, "fox.toml:2")
    (tmp_path / "sd3-brunch").mkdir()
    assert _checkout(_says("sd3-brunch")).path == tmp_path / "sd3-brunch"


def test_a_folder_of_the_same_name_is_said(tmp_path: Path, config: Path) -> None:
    config.write_text('[checkouts]\nsd3 = "~/src/sd3"\nhere = "~/here"\n')
    (tmp_path / "sd3").mkdir()
    (tmp_path / "here").mkdir()
    found = _checkout(_says("sd3"))
    assert found.path == tmp_path / "src" / "sd3"
    assert [each.code for each in found.findings] == ["named-twice"]
    assert str(tmp_path / "src" / "sd3") in found.findings[0].message
    assert _checkout(_says("here")).findings == ()


def test_the_only_one_is_taken_and_of_several_none(tmp_path: Path, config: Path) -> None:
    config.write_text('[checkouts]\nsd3 = "~/sd3"\n')
    (tmp_path / "sd-scripts").mkdir()
    assert _checkout().path == find_checkout(None) == tmp_path / "sd3"
    config.write_text('[checkouts]\nsd3 = "~/sd3"\nflux = "~/flux"\n')
    assert _checkout().path == tmp_path / "sd-scripts"
    (tmp_path / "sd-scripts").rmdir()
    with pytest.raises(KlError) as caught:
        _checkout()
    assert "flux, sd3" in (caught.value.hint or "")
    config.write_text('[run]\nsd_scripts = "flux"\n[checkouts]\nsd3 = "~/sd3"\nflux = "~/flux"\n')
    assert _checkout().path == find_checkout(None) == tmp_path / "flux"
