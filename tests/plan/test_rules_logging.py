"""Curves and messages: what the environment lacks, files that are none, names that reach nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loop_bed import SOURCES, run_of, said_by, without_packages

from launcher.base.findings import Finding, Severity
from launcher.plan.checks.rules.logging import RULES

E, W, A = Severity.ERROR, Severity.WARNING, Severity.ADVICE
_WANDB = {"wandb/__init__.py": "", "accelerate/__init__.py": "", "tensorboard/__init__.py": ""}


def _said(folder: Path, code: str, text: str, **fields: object) -> Finding | None:
    return said_by(RULES, run_of(folder, text, **fields), code)  # type: ignore[arg-type]


def _home(folder: Path, **variables: str) -> dict[str, str]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {"HOME": str(home), **variables}


@pytest.mark.parametrize("asked", ["wandb", "all"])
def test_wandb_must_be_there(tmp_path: Path, asked: str) -> None:
    text = f'log_with = "{asked}"'
    finding = _said(tmp_path, "wandb-missing", text)
    assert finding is not None and finding.severity is E and "does not have" in finding.message
    assert said_by(RULES, without_packages(run_of(tmp_path, text)), "wandb-missing") is None
    assert _said(tmp_path, "wandb-missing", text, packages=_WANDB) is None


def test_nobody_asks_for_wandb(tmp_path: Path) -> None:
    for text in ("", 'log_with = "tensorboard"'):
        run = run_of(tmp_path, text, environ=_home(tmp_path))
        assert said_by(RULES, run, "wandb-missing") is None
        assert said_by(RULES, run, "wandb-key") is None


def test_wandb_needs_a_key(tmp_path: Path) -> None:
    finding = _said(tmp_path, "wandb-key", 'log_with = "wandb"', packages=_WANDB, environ=_home(tmp_path))
    assert finding is not None and finding.severity is E
    assert finding.hint is not None and "WANDB_API_KEY" in finding.hint


def test_without_wandb_itself_its_key_is_not_the_matter(tmp_path: Path) -> None:
    assert _said(tmp_path, "wandb-key", 'log_with = "wandb"', environ=_home(tmp_path)) is None


@pytest.mark.parametrize(
    "variables",
    [
        {"WANDB_API_KEY": "x" * 40},
        {"WANDB_MODE": "offline"},
        {"WANDB_MODE": "disabled"},
        {"WANDB_ANONYMOUS": "allow"},
        {"WANDB_IDENTITY_TOKEN_FILE": "/token"},
        {"HOME": ""},
    ],
)
def test_the_environment_may_do_without_a_login(tmp_path: Path, variables: dict[str, str]) -> None:
    environ = {**_home(tmp_path), **variables}
    assert _said(tmp_path, "wandb-key", 'log_with = "wandb"', packages=_WANDB, environ=environ) is None


@pytest.mark.parametrize(
    ("file", "content", "speaks"),
    [
        (".netrc", "machine api.wandb.ai\n  login user\n  password x\n", False),
        ("_netrc", "machine api.wandb.ai login user password x", False),
        (".netrc", "default login user password x", False),
        (".netrc", "machine example.org login user password x", True),
        (".netrc", "\0" * 2_000_000, False),
        (".config/wandb/settings", "[default]\nmode = offline\n", False),
        (".config/wandb/settings", "[default]\nentity = fox\n", True),
    ],
)
def test_a_login_is_found_where_wandb_keeps_it(tmp_path: Path, file: str, content: str, speaks: bool) -> None:
    environ = _home(tmp_path)
    path = tmp_path / "home" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    found = _said(tmp_path, "wandb-key", 'log_with = "wandb"', packages=_WANDB, environ=environ)
    assert (found is not None) is speaks


def test_a_login_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "logins").write_text("machine wandb.example.org login user password x")
    environ = _home(tmp_path, NETRC=str(tmp_path / "logins"), WANDB_BASE_URL="https://wandb.example.org")
    assert _said(tmp_path, "wandb-key", 'log_with = "wandb"', packages=_WANDB, environ=environ) is None
    (tmp_path / "checkout/wandb").mkdir(parents=True)
    (tmp_path / "checkout/wandb/settings").write_text("[default]\nmode = offline\n")
    assert _said(tmp_path, "wandb-key", 'log_with = "wandb"', packages=_WANDB, environ=_home(tmp_path)) is None


def test_a_tracker_config_may_do_without_a_login(tmp_path: Path) -> None:
    text = 'log_with = "wandb"\nlog_tracker_config = "trackers.toml"'
    assert _said(tmp_path, "wandb-key", text, packages=_WANDB, environ=_home(tmp_path)) is None


@pytest.mark.parametrize(
    ("packages", "speaks"),
    [
        ({"accelerate/__init__.py": ""}, True),
        ({"accelerate/__init__.py": "", "tensorboard/__init__.py": ""}, False),
        ({"accelerate/__init__.py": "", "tensorboardX/__init__.py": ""}, False),
        ({"other/__init__.py": ""}, False),
    ],
)
def test_curves_need_tensorboard(tmp_path: Path, packages: dict[str, str], speaks: bool) -> None:
    finding = _said(tmp_path, "tensorboard-missing", "", packages=packages)
    assert (finding is not None) is speaks
    assert finding is None or finding.severity is W
    assert _said(tmp_path, "tensorboard-missing", 'log_with = "wandb"', packages=packages) is None


@pytest.mark.parametrize(
    ("content", "severity", "part"),
    [
        (None, E, "is not there"),
        ("[tensorboard", E, "cannot be read as TOML"),
        ("\0" * 2_000_000, E, "no text file"),
        ("tensorboard = 3", E, "tensorboard in"),
        ("", W, "is empty"),
        ('[wandb]\nname = "x"', W, "has only wandb"),
    ],
)
def test_a_tracker_config_is_read(tmp_path: Path, content: str | None, severity: Severity, part: str) -> None:
    if content is not None:
        (tmp_path / "trackers.toml").write_text(content)
    finding = _said(tmp_path, "tracker-config", 'log_tracker_config = "trackers.toml"')
    assert finding is not None and finding.severity is severity
    assert part in finding.message


def test_a_tracker_config_for_what_is_used(tmp_path: Path) -> None:
    (tmp_path / "trackers.toml").write_text("[tensorboard]\nmax_queue = 5\n[wandb]\n")
    for asked in ("tensorboard", "wandb", "all"):
        text = f'log_with = "{asked}"\nlog_tracker_config = "trackers.toml"'
        assert _said(tmp_path, "tracker-config", text) is None
    assert _said(tmp_path, "tracker-config", "") is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300) | st.sampled_from([b"[" * 5_000, b"a = " + b"[" * 5_000, b"a = {b = " * 900]))
def test_whatever_a_tracker_config_holds_there_is_no_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trackers.toml").write_bytes(content)
    finding = _said(tmp_path, "tracker-config", 'log_tracker_config = "trackers.toml"')
    assert finding is None or "\n" not in finding.message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('wandb_run_name = "x"', "does not ask for wandb"),
        ('wandb_run_name = "x"\nlog_with = "wandb"\nlog_tracker_config = "t.toml"', "log_tracker_config replaces it"),
        ('wandb_run_name = "x"\nlog_with = "wandb"', None),
        ('log_with = "wandb"', None),
    ],
)
def test_a_name_for_wandb_reaches_wandb(tmp_path: Path, text: str, part: str | None) -> None:
    finding = _said(tmp_path, "wandb-run-name", text)
    assert finding is None if part is None else finding is not None and part in finding.message


def test_a_log_file_needs_its_folder(tmp_path: Path) -> None:
    finding = _said(tmp_path, "console-log-file", 'console_log_file = "logs/fox.log"')
    assert finding is not None and finding.severity is E and "there is no folder" in finding.message
    (tmp_path / "logs").mkdir()
    finding = _said(tmp_path, "console-log-file", 'console_log_file = "logs/fox.log"')
    assert finding is not None and finding.severity is A and "sdscripts.log lacks them" in finding.message
    finding = _said(tmp_path, "console-log-file", 'console_log_file = "logs"')
    assert finding is not None and finding.severity is E and "is a folder" in finding.message
    assert _said(tmp_path, "console-log-file", "") is None


def test_all_are_silent_where_the_checkout_has_no_such_code(tmp_path: Path) -> None:
    bare = {"train_network.py": "for epoch in range(9):\n    pass\n"}
    text = 'log_with = "wandb"\nwandb_run_name = "x"\nlog_tracker_config = "none.toml"\nconsole_log_file = "none/x.log"'
    for packages in ({}, _WANDB, {"accelerate/__init__.py": ""}):
        run = run_of(tmp_path, text, sources=bare, packages=packages, environ=_home(tmp_path))
        assert [rule.code.name for rule in RULES if said_by(RULES, run, rule.code.name)] == []


def test_an_old_release_reads_its_trackers_in_the_loop(tmp_path: Path) -> None:
    reads = "init_kwargs = toml.load(args.log_tracker_config)"
    loop = f"def train(args):\n    {reads}\n    for epoch in range(9):\n        pass\n"
    sources = {"train_network.py": loop, "library/train_util.py": "x = 1\n"}
    assert _said(tmp_path, "tracker-config", 'log_tracker_config = "none.toml"', sources=sources) is not None
    assert "init_trackers" in SOURCES["library/train_util.py"]
