"""docs/findings.md against the findings there are."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import defaultdict
from pathlib import Path

import pytest

import launcher
import launcher.plan
from launcher.base.findings import Code
from launcher.plan.checks.rules.every import RULES
from launcher.plan.checks.rules.rule import Rule
from launcher.plan.every_code import every_code

ROOT = Path(launcher.__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "findings.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="needs a clone: the pages are not installed")
def test_the_page_lists_every_finding_with_its_reason_and_source() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    expected = [
        f"| `{code.name}` | {code.severity.value} | {code.reason} | {code.source} |" for code in every_code().values()
    ]
    assert rows == expected, "write the table anew: kl findings --markdown"


def test_a_name_stands_for_one_kind_of_finding() -> None:
    kinds: dict[str, set[Code]] = defaultdict(set)
    for module in pkgutil.walk_packages(launcher.plan.__path__, "launcher.plan."):
        for value in vars(importlib.import_module(module.name)).values():
            code = value.code if isinstance(value, Rule) else value
            if isinstance(code, Code):
                kinds[code.name].add(code)
    assert [name for name, codes in kinds.items() if len(codes) > 1] == []


@pytest.mark.parametrize("name", every_code())
def test_a_finding_is_explained_in_whole_sentences(name: str) -> None:
    code = every_code()[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert code.reason.endswith((".", "…"))
    assert code.source
    assert "|" not in code.reason + code.source


def test_there_are_more_than_forty_rules() -> None:
    assert len(RULES) >= 40


def test_every_finding_is_made_from_a_code() -> None:
    """Nothing but `Code.at` makes one, or it would be missing on the page.

    What is only shown is made where it is shown; what keeps a run from being repeated has a kind, not a code.
    """
    makers = set()
    for path in sorted((ROOT / "launcher").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
                makers.add(path.relative_to(ROOT / "launcher").as_posix())
    assert makers == {
        "base/findings.py",
        "cli/render.py",
        "cli/failure_explained.py",
        "run/reproduce.py",
        "plan/import_arguments.py",
    }
