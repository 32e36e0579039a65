"""`kl demo` a second time trains the next version instead of refusing."""

from __future__ import annotations

from pathlib import Path

from launcher.cli.demo import free_name


def test_the_next_free_version_is_taken(tmp_path: Path) -> None:
    assert free_name("shapes-v1s60", tmp_path) == "shapes-v1s60"
    (tmp_path / "shapes-v1s60").mkdir()
    (tmp_path / "shapes-v2s60").mkdir()
    assert free_name("shapes-v1s60", tmp_path) == "shapes-v3s60"
