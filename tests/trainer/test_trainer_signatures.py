"""What classes and functions take, and where they are, read from made-up packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.trainer.lookup import Absence, Definition, Kind, find_definition, public_names
from launcher.trainer.packages import Packages
from launcher.trainer.signatures import (
    Signature,
    enum_members,
    functions_by_member,
    needed_by_method,
    signature_of,
)


def packages(folder: Path, **files: str) -> Packages:
    """Modules of one package `pack`, by the name of the file."""
    (folder / "pack").mkdir()
    for name, text in {"__init__": "", **files}.items():
        (folder / "pack" / f"{name}.py").write_text(text, encoding="utf-8")
    return Packages(folder / "nowhere", (folder,))


def taken(found: Packages, dotted: str) -> tuple[tuple[str, ...], bool]:
    signature = signature_of(found, dotted)
    assert isinstance(signature, Signature)
    return signature.keywords, signature.open


PLAIN = "class Plain:\n    def __init__(self, params, lr=1e-3, *, fused: bool = False):\n        pass\n"


def test_a_constructors_parameters_and_which_of_them_must_be_given(tmp_path: Path) -> None:
    signature = signature_of(packages(tmp_path, a=PLAIN), "pack.a.Plain")
    assert isinstance(signature, Signature)
    assert [(each.name, each.default, each.by_position) for each in signature.parameters] == [
        ("params", None, True),
        ("lr", "0.001", True),
        ("fused", "False", False),
    ]
    assert not signature.open


@pytest.mark.parametrize(
    "init",
    [
        "from .a import Plain",
        "from pack.a import Plain as Other\nPlain = Other",
        "from .a import *",
        "try:\n    from .a import Plain\nexcept ImportError:\n    Plain = None",
        "if True:\n    from .a import (\n        Plain,  # the plain one\n    )",
    ],
)
def test_re_exports_are_followed(tmp_path: Path, init: str) -> None:
    assert taken(packages(tmp_path, a=PLAIN, __init__=init), "pack.Plain") == (("params", "lr", "fused"), False)


def test_an_inherited_constructor_is_that_of_the_base(tmp_path: Path) -> None:
    child = "from .a import Plain\n\nclass Child(Plain):\n    def step(self):\n        pass\n"
    assert taken(packages(tmp_path, a=PLAIN, b=child), "pack.b.Child") == (("params", "lr", "fused"), False)


def test_keywords_handed_on_to_the_base_count(tmp_path: Path) -> None:
    child = (
        "from . import a\n\nclass Child(a.Plain):\n    def __init__(self, params, extra=1, **kwargs):\n"
        "        super().__init__(params, lr=2.0, **kwargs)\n"
    )
    assert taken(packages(tmp_path, a=PLAIN, b=child), "pack.b.Child") == (("params", "extra", "fused"), False)


def test_keywords_that_nobody_reads_are_swallowed(tmp_path: Path) -> None:
    child = "class Child:\n    def __init__(self, params, **kwargs):\n        self.params = params\n"
    signature = signature_of(packages(tmp_path, a=child), "pack.a.Child")
    assert isinstance(signature, Signature)
    assert (signature.open, signature.swallows) == (False, True)


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    def __init__(self, **kwargs):\n        self.d = kwargs.get('d')\n",
        "class A(Missing):\n    pass\n",
        "class A(metaclass=Meta):\n    def __init__(self, x): pass\n",
        "@changed\nclass A:\n    def __init__(self, x): pass\n",
        "class A:\n    @changed\n    def __init__(self, x): pass\n",
        "class A:\n    def __new__(cls, y): pass\n    def __init__(self, x): pass\n",
        "A = made_up()\n",
        "if old:\n    class A:\n        x = 1\nelse:\n    class A:\n        def __init__(self): pass\n",
    ],
)
def test_what_cannot_be_followed_is_open(tmp_path: Path, text: str) -> None:
    found = signature_of(packages(tmp_path, a=text), "pack.a.A")
    assert found is Absence.OPEN or (isinstance(found, Signature) and found.open)


def test_what_is_missing_is_told_from_what_is_not_known(tmp_path: Path) -> None:
    found = packages(tmp_path, a=PLAIN, lazy="def __getattr__(name): ...\n", star="from outside import *\n")
    assert find_definition(found, "nowhere.Plain") is Absence.NO_MODULE
    assert find_definition(found, "pack.a.Other") is Absence.NO_NAME
    assert find_definition(found, "pack.lazy.Other") is Absence.OPEN
    assert find_definition(found, "pack.star.Other") is Absence.OPEN
    module = find_definition(found, "pack.a")
    assert isinstance(module, Definition)
    assert module.kind is Kind.MODULE


def test_a_class_inside_another_is_not_the_modules_own(tmp_path: Path) -> None:
    text = "class Outer:\n    class Inner:\n        pass\n\ndef function():\n    class Hidden:\n        pass\n"
    found = packages(tmp_path, a=text)
    assert find_definition(found, "pack.a.Inner") is Absence.NO_NAME
    assert find_definition(found, "pack.a.Hidden") is Absence.NO_NAME


def test_imports_in_a_circle_end(tmp_path: Path) -> None:
    found = packages(tmp_path, a="from .b import Plain\n", b="from .a import Plain\n")
    assert find_definition(found, "pack.a.Plain") is Absence.OPEN


def test_names_for_the_nearest_right_one(tmp_path: Path) -> None:
    text = "import os\nfrom .a import Plain, helper\n\nclass Own: pass\nclass _Hidden: pass\n"
    assert public_names(packages(tmp_path, __init__=text), "pack") == ("Plain", "Own")


def test_enumerations_and_tables_of_functions(tmp_path: Path) -> None:
    text = (
        "class KindType(ExplicitEnum):\n    ONE = 'one'\n    TWO = 'two'\n\n"
        "def first(x): pass\n\nTABLE = {\n    KindType.ONE: first,\n    KindType.TWO: first,\n}\n\nafter = 1\n"
    )
    found = packages(tmp_path, a=text, __init__="from .a import KindType\n")
    assert enum_members(found, "pack.KindType") == {"ONE": "one", "TWO": "two"}
    assert functions_by_member(found, "pack.a.TABLE") == {"ONE": "pack.a.first", "TWO": "pack.a.first"}
    assert enum_members(found, "pack.a.first") is None
    assert functions_by_member(found, "pack.a.after") is None


def test_what_a_method_cannot_do_without(tmp_path: Path) -> None:
    text = (
        "class Base:\n    @no_grad()\n    def step(self, closure): pass\n\nclass Child(Base): pass\n\n"
        "class Free:\n    def step(self, closure=None): pass\n"
    )
    found = packages(tmp_path, a=text)
    for name, needed in (("Child", ("closure",)), ("Free", ())):
        definition = find_definition(found, f"pack.a.{name}")
        assert isinstance(definition, Definition)
        assert needed_by_method(found, definition, "step") == needed


LINES = st.sampled_from([
    "class A(B):", "class B(A):", "    def __init__(self, x=1, **k):", "        super().__init__(**k)", "def A(x", "@d",
    "from . import *", "from .a import A", "from ....x import A", "A = B", "A = {", "if x:", "\tclass A:", "try:",
    'A = """', "import A.b as A", "    A = 1", "class A[T]:", "class A(", "é = 1", "\0",
])  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.lists(LINES, max_size=12))
def test_no_source_is_too_odd(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    found = packages(tmp_path_factory.mktemp("odd"), a="\n".join(lines))
    assert isinstance(signature_of(found, "pack.a.A"), Signature | Absence)
    assert enum_members(found, "pack.a.A") is None or isinstance(enum_members(found, "pack.a.A"), dict)
