"""The pages against what they speak of: set-up commands, links, tables of settings, names in the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from spec_plans import plan_of

import launcher
from launcher.demo.layout import SOURCES

ROOT = Path(launcher.__file__).resolve().parent.parent
PAGES = [str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("zsh/*.md"))]

pytestmark = pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="needs a clone: the pages are not installed")


def _page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def _code_lines(text: str) -> list[str]:
    """The lines that stand in fenced blocks."""
    inside, lines = False, []
    for line in text.splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside:
            lines.append(line)
    return lines


def _setup_commands() -> list[str]:
    return [line for line in _code_lines(_page("README.md")) if "-m venv" in line or "pip install" in line]


def test_the_readme_has_two_set_up_commands() -> None:
    demo, tests = _setup_commands()
    for command in (demo, tests):
        assert command.startswith("python3 -m venv .venv && .venv/bin/python -m pip install -q -e ")
        assert command.count("&&") == 2
    assert demo.endswith("&& .venv/bin/kl demo")
    assert tests.endswith("&& .venv/bin/python -m pytest")


def test_ci_runs_the_command_of_the_readme() -> None:
    command = _setup_commands()[1]
    assert (ROOT / ".ci" / "run").read_text("utf-8").splitlines().count(command) == 1


def test_the_extras_of_the_commands_exist() -> None:
    project = _page("pyproject.toml")
    for command in _setup_commands():
        extra = re.search(r"'\.\[(\w+)]'", command)
        assert extra is not None
        assert re.search(rf"^{extra[1]} = \[", project, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    text = re.sub(r"```.*?```", "", _page(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http://", "https://", "#")):
            file, _, anchor = target.partition("#")
            linked = (ROOT / page).parent / file
            assert linked.exists(), f"{page} links to {target}"
            assert not anchor or anchor in _anchors(linked.read_text("utf-8")), f"{page} links to {target}"


def _anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ["README.md", "docs/spec.md"])
def test_the_first_spec_of_a_page_is_one(page: str, tmp_path: Path) -> None:
    spec = tmp_path / "fox.toml"
    spec.write_text(_blocks(_page(page), "toml")[0], "utf-8")
    plan, _ = plan_of(spec, "fox-v1s2400", SOURCES, tmp_path / "cache")
    assert [finding.code for finding in plan.findings] == (["no-dataset"] if page == "README.md" else [])
    assert plan.steps == 2400


def test_the_readme_shows_what_is_planned(tmp_path: Path) -> None:
    text = _page("README.md")
    spec = tmp_path / "fox.toml"
    spec.write_text(_blocks(text, "toml")[0], "utf-8")
    plan, _ = plan_of(spec, "fox-v1s2400", SOURCES, tmp_path / "cache")
    words = {" ".join(argument.words): str(argument.origin) for argument in plan.arguments}
    words |= {f"{item.key}={item.text}": str(item.origin) for argument in plan.arguments for item in argument.items}
    block = _blocks(text, "console")[0].splitlines()
    shown = [line.split("  # ") for line in block if "=" in line or line.startswith("  --text")]
    shown = [parts for parts in shown if len(parts) == 2]
    assert len(shown) == 9
    for option, origin in shown:
        if "/home/me" not in option and "mixed_precision" not in option:
            assert words[option.strip()] in origin.replace("fox.toml", str(spec)), option


def _table_keys(page: str, heading: str) -> list[str]:
    """The first column of the first table below a heading."""
    section = re.split(rf"^#+ {re.escape(heading)}$", _page(page), maxsplit=1, flags=re.MULTILINE)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    rows = table[0].splitlines()[2:]
    return [key for row in rows for key in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_the_spec_page_lists_the_settings_of_run_and_env() -> None:
    from launcher.plan.tables import EnvTable, RunTable

    assert _table_keys("docs/spec.md", "[run]") == list(RunTable.__struct_fields__)
    assert _table_keys("docs/spec.md", "[env]") == list(EnvTable.__struct_fields__)


def test_the_spec_page_lists_what_kl_sets_and_what_is_secret() -> None:
    from launcher.plan.checks.keys import SETS_ITSELF
    from launcher.plan.secrets import SECRETS

    assert set(_table_keys("docs/spec.md", "Set by kl")) == set(SETS_ITSELF)
    text = _page("docs/spec.md")
    for name, variable in SECRETS.items():
        assert f"`{name}`" in text
        assert f"`{variable}`" in text


def test_the_spec_page_lists_the_keys_of_a_prompt() -> None:
    from launcher.plan.prompts import FLAGS

    assert _table_keys("docs/spec.md", "Sample prompts") == ["prompt", *FLAGS]


def test_the_pages_list_the_exit_codes() -> None:
    from launcher.base.errors import ExitCode

    assert [int(code) for code in _table_keys("docs/run-directory.md", "Exit codes")[: len(ExitCode)]] == list(ExitCode)


def test_the_run_directory_page_lists_the_fields_of_the_manifest() -> None:
    from launcher.record.manifest import _LISTS as LISTS
    from launcher.record.manifest import Attempt, Manifest, TrainerRecord
    from launcher.run.outcome import Outcome

    page = "docs/run-directory.md"
    text = _page(page)
    assert set(_table_keys(page, "The manifest")) == {field.name for field in fields(Manifest)}
    for name, record in {**LISTS, "trainer": TrainerRecord}.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        if name != "attempts":
            assert {field.name for field in fields(record)} <= set(re.findall(r"`([a-z0-9_]+)`", row)), name
    attempt = re.split(r"^An attempt:$", text, flags=re.MULTILINE)[1].split("\n\n")[1]
    assert {key for row in attempt.splitlines()[2:] for key in re.findall(r"`([a-z_]+)`", row.split("|")[1])} == {
        field.name for field in fields(Attempt)
    }
    assert _table_keys(page, "Outcomes") == [outcome.value for outcome in Outcome]


def test_the_architecture_page_names_every_part() -> None:
    text = _page("docs/architecture.md")
    for part in sorted(path.name for path in (ROOT / "launcher").iterdir() if (path / "__init__.py").is_file()):
        assert f"`{part}/`" in text, part


def test_the_readme_names_every_template() -> None:
    text = _page("README.md")
    for template in (ROOT / "templates").glob("*.toml"):
        assert f"`{template.stem}`" in text
