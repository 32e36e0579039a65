"""Secrets by their values: those of the environment, and passwords in URLs, wherever a spec has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plan_bed import NEEDED, codes, plan_of

from launcher.cli.render import findings_as_data, plan_as_data, plan_as_text
from launcher.plan.plan import Plan
from launcher.plan.secrets import secret_values, secrets_in
from launcher.plan.shell import as_shell

SECRET = "hf_Zz12345678"
ENVIRON = {"HF_TOKEN": SECRET, "EDITOR": "vi"}
PLACES = {
    "notes": f'[run]\nnotes = "{SECRET}"',
    "comment": f"# {SECRET}",
    "option": f'network_weights = "x{SECRET}x"',
    "items": f'network_args = ["a={SECRET}"]',
    "table": f'[network_args]\na = "{SECRET}"',
    "unknown": f'no_such_option = "{SECRET}"',
    "variable": f'[env.variables]\nPROXY = "{SECRET}"',
    "accelerate": f'[accelerate]\nmain_process_ip = "{SECRET}"',
    "url": f'[env.variables]\nHTTPS_PROXY = "http://me:{SECRET}@proxy:80"',
}


def _said(plan: Plan) -> str:
    shown = findings_as_data(plan.findings), plan_as_data(plan), list(plan.argv)
    return json.dumps(shown) + "\n".join(plan_as_text(plan)) + as_shell(plan)


@pytest.mark.parametrize("place", PLACES)
def test_a_spec_with_the_value_of_a_secret_is_refused(tmp_path: Path, place: str) -> None:
    text = f"{PLACES[place]}\n{NEEDED}" if place == "comment" else f"{NEEDED}{PLACES[place]}"
    plan = plan_of(tmp_path, text, environ=ENVIRON)
    found = [finding for finding in plan.errors if finding.code == "secret"]
    assert found and all("HF_TOKEN" in each.message or "password" in each.message for each in found)
    assert all(":" in (each.where or "") for each in found)
    assert SECRET not in _said(plan)


def test_on_the_command_line(tmp_path: Path) -> None:
    for more in ({"sets": [f"network_module={SECRET}"]}, {"arguments": [f"--network_module={SECRET}"]}):
        plan = plan_of(tmp_path, NEEDED, environ=ENVIRON, **more)  # type: ignore[arg-type]
        assert "secret" in codes(plan.errors)
        assert SECRET not in _said(plan)


def test_a_password_in_a_url_needs_no_variable(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, NEEDED + PLACES["url"])
    assert codes(plan.errors) == ["secret"]
    assert SECRET not in _said(plan) and "HTTPS_PROXY" not in plan.variables


@pytest.mark.parametrize(
    "text",
    [
        '[env.variables]\nHTTPS_PROXY = "http://proxy:80"\nREMOTE = "ssh://git@host/x"', "network_dim = 8",
        '[run]\nnotes = "at 10:30 user@host, http://a/b:c@d"',
    ],
)  # fmt: skip
def test_a_sound_spec(tmp_path: Path, text: str) -> None:
    assert "secret" not in codes(plan_of(tmp_path, NEEDED + text, environ=ENVIRON).findings)


def test_what_may_be_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "credentials-1.json"
    file.touch()
    environ = {
        "HF_TOKEN": "hf_12345", "API_KEY": "1234567", "SSH_KEY": str(file), "SOME_KEY": "disabled",
        "PATH": "/usr/bin:/bin9", "DB_PASSWORD": "correct horse battery", "MY_SECRET": "a\0b1234567",
    }  # fmt: skip
    assert set(secret_values(environ)) == {"HF_TOKEN", "DB_PASSWORD", "MY_SECRET"}
    assert secrets_in("x hf_12345 y", environ) == ["HF_TOKEN"]
    assert secrets_in("disabled", environ) == []
