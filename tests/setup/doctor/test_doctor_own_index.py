"""A mirror or a folder of wheels in the settings of pip and uv is seen, and what mends torch asks it too."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.setup.doctor.mends import Mender
from launcher.setup.doctor.own_index import has_own_index
from launcher.setup.doctor.seen_environment import SeenEnvironment

README = "pip install torch==2.6.0 torchvision==0.21.0 --index-url https://index.invalid/whl/cu124\n"
MACHINE_WIDE = has_own_index(Path("/nowhere"), {"HOME": "/nowhere"})


@pytest.mark.parametrize(
    ("file", "text", "own"),
    [
        (".config/pip/pip.conf", "[global]\nindex-url = https://mirror.invalid/simple\n", True),
        (".pip/pip.conf", "[install]\nextra_index_url=\n  https://mirror.invalid/simple\n", True),
        (".config/pip/pip.conf", "[global]\nno-index = true\nfind-links = /wheels\n", True),
        (".config/uv/uv.toml", '[[index]]\nurl = "https://mirror.invalid/simple"\n', True),
        (".config/uv/uv.toml", 'index-url = "https://mirror.invalid/simple"\n', True),
        ("venv/pip.conf", "[global]\nfind-links = /wheels\n", True),
        (".config/pip/pip.conf", "[global]\ntimeout = 60\n# index-url = x\n", False),
        (".config/uv/uv.toml", "offline-hours = 3\n", False),
        ("elsewhere/pip.conf", "[global]\nindex-url = x\n", False),
    ],
)
def test_settings_in_files(file: str, text: str, own: bool, tmp_path: Path) -> None:
    if MACHINE_WIDE and not own:
        pytest.skip("this machine has settings for everybody")
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    assert has_own_index(tmp_path / "venv", {"HOME": str(tmp_path)}) is own


def test_settings_in_variables(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert has_own_index(tmp_path, {**home, "PIP_INDEX_URL": "https://mirror.invalid/simple"})
    assert has_own_index(tmp_path, {**home, "UV_OFFLINE": "1"})
    (tmp_path / "pip.ini").write_text("[global]\nindex-url = x\n")
    assert has_own_index(tmp_path, {**home, "PIP_CONFIG_FILE": str(tmp_path / "pip.ini")})
    (tmp_path / "pip.ini").write_bytes(b"\xff\0index")
    assert has_own_index(tmp_path, {**home, "PIP_CONFIG_FILE": str(tmp_path / "pip.ini")}) is has_own_index(
        tmp_path, home
    )


@pytest.mark.parametrize("own", [True, False])
def test_what_mends_torch_asks_it_too(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.setup.doctor.mends.has_own_index", lambda prefix: own)
    seen = SeenEnvironment(Path("/venv/bin/python"), "3.10.13", packages={"pip": "25.0"})
    mend = Mender(seen, readme=README).torch()
    pip = "/venv/bin/python -m pip install --upgrade"
    first = f"{pip} torch==2.6.0+cpu torchvision==0.21.0+cpu --index-url https://index.invalid/whl/cpu"
    assert mend == (f"{first} || {pip} torch==2.6.0 torchvision==0.21.0" if own else first)
