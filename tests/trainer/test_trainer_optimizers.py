"""Functions of a trainer, followed for given options."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.trainer.following import follow
from launcher.trainer.following_values import UNKNOWN, Made, Named, Options, Walk, World
from launcher.trainer.optimizers import TrainerFile, built_in_names, follow_optimizer, refused_by_constructor
from launcher.trainer.packages import Packages
from launcher.trainer.source_text import SourceText

NAMES = {"torch": Named("torch"), "ast": Named("ast"), "importlib": Named("importlib")}


def walk(body: str, **options: Any) -> Walk:
    """Follow a function with this body, which sees `args` and an unknown `x`."""
    text = "def f(args, x):\n" + "\n".join(f"    {line}" for line in body.splitlines())
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    world = World(lambda name: NAMES.get(name, UNKNOWN))
    return follow(function, {"args": Options(lambda name: options.get(name, UNKNOWN))}, world)


def test_the_branch_that_the_options_choose_is_followed() -> None:
    body = "if args.kind.lower().endswith('8bit'):\n    return torch.Eight(x, lr=args.lr)\nreturn torch.Plain(x)"
    assert walk(body, kind="Adam8Bit", lr=0.5).returned == Made(Named("torch.Eight"), (UNKNOWN,), (("lr", 0.5),))
    assert walk(body, kind="Adam", lr=0.5).returned == Made(Named("torch.Plain"), (UNKNOWN,))


def test_items_are_read_as_the_trainer_reads_them_and_each_mistake_is_kept() -> None:
    body = (
        "found = {}\nfor arg in args.items:\n    key, value = arg.split('=')\n"
        "    found[key] = ast.literal_eval(value)\n"
        "return torch.Thing(lr=1, **found)"
    )
    result = walk(body, items=["a=0.9,0.99", "b=word", "c=1=2", "lr=3"])
    assert [refusal.item for refusal in result.refusals] == ["b=word", "c=1=2", "lr"]
    assert result.returned.given["a"] == (0.9, 0.99)


def test_nothing_behind_an_unknown_condition_is_believed() -> None:
    body = (
        "value = 1\nif x:\n    value = 2\n    args.lr = 3\n    import gone\n    raise ValueError('no')\n"
        "if x:\n    value = 3\nreturn torch.Thing(value, args.lr)"
    )
    result = walk(body, lr=1)
    assert (result.refusals, result.imports) == ([], [])
    assert result.returned == Made(Named("torch.Thing"), (UNKNOWN, UNKNOWN))


def test_a_list_that_is_filled_in_doubt_may_be_empty() -> None:
    body = "bad = []\nfor each in x:\n    if each.odd:\n        bad.append(each)\nif bad:\n    raise ValueError('no')"
    assert walk(body).refusals == []


def test_a_return_behind_an_unknown_condition_leaves_the_rest_in_doubt() -> None:
    result = walk("if x:\n    return 1\nraise ValueError('sure?')")
    assert (result.refusals, result.finished) == ([], False)


@pytest.mark.parametrize(
    ("body", "exception"),
    [
        ("assert args.a == 1, 'one only'", "AssertionError"),
        ("raise KeyError('gone')", "KeyError"),
        ("return args.a[5]", "IndexError"),
        ("return float('word')", "ValueError"),
        ("a, b = args.a", "ValueError"),
        ("return 0.0 <= args.a", "TypeError"),
    ],
)
def test_what_python_would_raise_is_kept(body: str, exception: str) -> None:
    assert [refusal.exception for refusal in walk(body, a=(1, 2, 3)).refusals] == [exception]


def test_a_caught_exception_goes_its_way() -> None:
    assert walk("try:\n    a = int('word')\nexcept ValueError:\n    a = 7\nreturn a").returned == 7


def test_a_module_that_may_be_missing_without_harm_is_not_needed() -> None:
    needed = "try:\n    import one\nexcept ImportError:\n    raise ImportError('no one')"
    optional = "try:\n    import other\nexcept ImportError:\n    other = None"
    assert walk(f"{needed}\n{optional}").imports == ["one"]


def test_endless_work_is_given_up() -> None:
    assert walk("def again():\n    return [again() for a in range(9)]\nreturn again()").refusals == []


STATEMENTS = st.sampled_from([
    "a = args.a", "a = args.a.split('=')", "a, b = args.a", "args.a = a", "for a in args.a:\n    b = a", "a = b = {}",
    "if a:\n    return a", "while a:\n    a = a + a", "a = a * a", "a = [a, a]", "a = a + a", "a = f'{a}{a}'",
    "a = ast.literal_eval(a)", "a = importlib.import_module(a)", "raise a", "assert a, a", "a = torch.X(*a, **a)",
    "def a():\n    return a()", "a = a()", "a = (lambda: a)()", "with a:\n    pass", "a = {a: a}", "a['a'] = a",
    "try:\n    a = a[1]\nexcept a:\n    a = 1", "a = [a for a in range(99)]", "a = 'a'.join(a)", "a.append(a)",
    "a = max(a)", "a = a < a", "a = sorted(a)", "a = str(a)", "a = args.a", "yield a", "a = range(9999)", "a -= a",
])  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    st.lists(STATEMENTS, max_size=12),
    st.one_of(st.text(max_size=20), st.lists(st.text(max_size=9)), st.integers(), st.none(), st.floats()),
)
def test_no_function_is_too_odd(statements: list[str], value: Any) -> None:
    assert isinstance(walk("\n".join(statements) or "pass", a=value), Walk)


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="([{-'\"\\0 1e,=9x~not", max_size=4000))
def test_no_value_is_too_odd(text: str) -> None:
    assert isinstance(walk("return ast.literal_eval(args.a)", a=text), Walk)


TRAIN_UTIL = """
import ast
import torch

def get_optimizer(args, trainable_params) -> tuple[str, str, object]:
    optimizer_type = args.optimizer_type or "Plain"
    optimizer_type = optimizer_type.lower()
    optimizer = None
    if optimizer_type == "Plain".lower() or optimizer_type in ["first", "second"]:
        optimizer_class = torch.optim.Plain
        optimizer = optimizer_class(trainable_params, lr=args.learning_rate)
    if hasattr(optimizer, "train") and callable(optimizer.train):
        optimizer.train()
    return optimizer_class.__module__ + "x", "", optimizer
"""
OPTIMIZERS = """
class Base:
    def __init__(self, params, lr):
        if not 0.0 <= lr:
            raise ValueError(f"Invalid learning rate: {lr}")

class Plain(Base):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.99)):
        if isinstance(lr, torch.Tensor):
            raise ValueError("not this")
        if not all(0.0 <= beta < 1.0 for beta in betas):
            raise ValueError("Invalid betas: {}".format(betas))
        super().__init__(params, lr)
"""


@pytest.fixture
def trainer(tmp_path: Path) -> TrainerFile:
    for file, text in (("library/train_util.py", TRAIN_UTIL), ("torch/optim.py", f"import torch\n{OPTIMIZERS}")):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_text(text, encoding="utf-8")
    (tmp_path / "torch/__init__.py").write_text("", encoding="utf-8")
    return TrainerFile(SourceText(tmp_path), Packages(tmp_path, (tmp_path,)))


def test_get_optimizer_is_followed_to_the_class_it_makes(trainer: TrainerFile) -> None:
    reading = follow_optimizer(trainer, lambda name: {"optimizer_type": "", "learning_rate": 0.1}.get(name, UNKNOWN))
    assert reading is not None
    assert reading.made == Made(Named("torch.optim.Plain"), (UNKNOWN,), (("lr", 0.1),))
    assert built_in_names(trainer) == ("Plain", "first", "second")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": 0.1}, None),
        ({"lr": UNKNOWN}, None),
        ({"lr": -1.0}, "Invalid learning rate: -1.0"),
        ({"betas": (0.9, 1.5)}, "Invalid betas: (0.9, 1.5)"),
        ({"betas": 0.9}, None),  # what Python says of a number that is no list cannot be told from a comprehension
    ],
)
def test_a_constructors_own_checks_are_followed(
    trainer: TrainerFile, given: dict[str, Any], message: str | None
) -> None:
    refusal = refused_by_constructor(
        trainer.packages, Made(Named("torch.optim.Plain"), (UNKNOWN,), tuple(given.items()))
    )
    assert (refusal.message if refusal else None) == message
