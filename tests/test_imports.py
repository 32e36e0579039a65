"""Imports point one way: cli → {run, record, setup, demo} → plan → {spec, trainer, data} → base.

Every import counts: those inside functions, those for type checking only, and those by a name in a string.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import launcher

PACKAGE = Path(launcher.__file__).resolve().parent
DEMO_CHECKOUT = PACKAGE / "demo" / "checkout"  # copied into the demo's folder, never imported by kl

# What each part may import, besides itself. `run` writes the record, and `setup` reads environments as
# it does; nothing else on that floor knows its neighbours.
BELOW_RUN = frozenset({"base", "spec", "trainer", "data", "plan"})
MAY_IMPORT = {
    "base": frozenset[str](),
    "spec": frozenset({"base"}),
    "trainer": frozenset({"base"}),
    "data": frozenset({"base"}),
    "plan": frozenset({"base", "spec", "trainer", "data"}),
    "record": BELOW_RUN,
    "setup": BELOW_RUN | {"record"},
    "demo": BELOW_RUN,
    "run": BELOW_RUN | {"record"},
    "cli": BELOW_RUN | {"run", "record", "setup", "demo"},
}
MAY_IMPORT["__main__"] = frozenset({"cli"})
MAY_IMPORT["__init__"] = frozenset()
NAMES_A_MODULE = ("import_module", "__import__", "run_module", "find_spec")  # called with a module's name as text


def imports_of(source: str, module: tuple[str, ...], *, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """Every module of launcher that a module's source imports, with the line: `launcher.base.errors`.

    `module` is the importing module's own name in parts, which relative imports start from.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from launcher import run` imports launcher.run: so the name counts as part of the module.
            names = [".".join((*_base_of(node, module, is_package), alias.name)) for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and _called(node.func) in NAMES_A_MODULE:
            first = node.args[0]
            names = [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []
        else:
            continue
        for name in names:
            if name.split(".")[0] == "launcher":
                yield node.lineno, name


def _base_of(node: ast.ImportFrom, module: tuple[str, ...], is_package: bool) -> tuple[str, ...]:
    named = tuple((node.module or "").split(".")) if node.module else ()
    if not node.level:
        return named
    up = node.level - 1 if is_package else node.level
    return (*module[: len(module) - up], *named)


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def violations(source: str, module: tuple[str, ...], *, is_package: bool = False) -> list[str]:
    """The imports that point the wrong way, each as "LINE: FROM imports TO"."""
    part = module[1] if len(module) > 1 else "__init__"
    found = []
    for line, name in imports_of(source, module, is_package=is_package):
        parts = name.split(".")
        # `import launcher` and `from launcher import __version__` reach no part of it.
        target = parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else None
        if target is not None and target != part and target not in MAY_IMPORT[part]:
            found.append(f"{line}: {part} imports {name}")
    return found


def _modules() -> Iterator[tuple[Path, tuple[str, ...]]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if DEMO_CHECKOUT not in path.parents:
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            yield path, parts[:-1] if path.name == "__init__.py" else parts


def test_imports_point_one_way() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE.parent)}:{violation}"
        for path, module in _modules()
        for violation in violations(path.read_text("utf-8"), module, is_package=path.name == "__init__.py")
    ]
    assert wrong == []


def test_every_part_has_its_place() -> None:
    parts = {module[1] for _, module in _modules() if len(module) > 1}
    assert parts <= set(MAY_IMPORT), "a new part of launcher/ must be given its place in MAY_IMPORT"


def test_the_parts_do_not_form_a_circle() -> None:
    order = ["base", "spec", "trainer", "data", "plan", "record", "setup", "demo", "run", "cli"]
    for place, part in enumerate(order):
        assert MAY_IMPORT[part] <= set(order[:place]), part


def test_the_demo_checkout_knows_nothing_of_the_launcher() -> None:
    wrong = [
        f"{path.name}:{line}: {name}"
        for path in sorted(DEMO_CHECKOUT.rglob("*.py"))
        for line, name in imports_of(path.read_text("utf-8"), ("demo_checkout", path.stem))
    ]
    assert wrong == []
    assert list(DEMO_CHECKOUT.rglob("*.py")), "the demo's checkout is somewhere else now"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("launcher.base.files", "from launcher.spec.tree import Tree"),
        ("launcher.spec.load", "from launcher.trainer.options import Option"),
        ("launcher.trainer.reader", "import launcher.spec.load"),
        ("launcher.trainer.reader", "from launcher import spec"),
        ("launcher.plan.build", "def f():\n    from launcher.setup import checkouts"),
        ("launcher.plan.checks.names", "from ...cli import options"),
        ("launcher.plan.build", "if TYPE_CHECKING:\n    from launcher.run.process import Process"),
        ("launcher.setup.checkouts", "from launcher.run import process"),
        ("launcher.record.manifest", "from launcher.run.process import Process"),
        ("launcher.record.manifest", "import launcher.cli.main as main"),
        ("launcher.run.process", "from ..setup import checkouts"),
        ("launcher.spec.load", "importlib.import_module('launcher.plan.plan')"),
        ("launcher.demo.layout", "__import__('launcher.run')"),
        ("launcher.__main__", "from launcher.plan.plan import Plan"),
    ],
)
def test_a_planted_violation_is_found(module: str, source: str) -> None:
    assert len(violations(source, tuple(module.split(".")))) == 1


def test_a_planted_violation_in_a_package_is_found() -> None:
    assert violations("from . import cli", ("launcher",), is_package=True) == ["1: __init__ imports launcher.cli"]
    assert violations("from .. import cli", ("launcher", "spec"), is_package=True) == ["1: spec imports launcher.cli"]
    assert violations("from . import tree", ("launcher", "spec"), is_package=True) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("launcher.base.files", "import os, json\nfrom pathlib import Path"),
        ("launcher.spec.load", "from launcher.base.errors import KlError\nfrom . import tree\nfrom .tree import Tree"),
        ("launcher.plan.build", "from launcher.spec.load import Spec\nfrom launcher.trainer import options"),
        ("launcher.run.process", "from launcher.record.manifest import Manifest"),
        ("launcher.cli.launch", "def f():\n    from launcher.run import process\n    from launcher.setup import a"),
        ("launcher.cli.main", "from launcher import __version__"),
        ("launcher.__main__", "from launcher.cli.main import main"),
        ("launcher.spec.load", "import launchers\nfrom launcher_tools import cli"),
    ],
)
def test_what_is_allowed_is_not_reported(module: str, source: str) -> None:
    assert violations(source, tuple(module.split("."))) == []
