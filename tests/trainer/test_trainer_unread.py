"""What cannot be known without running the script is kept and marked: never dropped, never guessed in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from trainer_checkouts import SCRIPT, lay_out, read, setup

from launcher.trainer.options import Option

# One option whose field comes from outside: the field, and how it is written.
FIELDS = {
    "default from the environment": (
        "default",
        "import os\nparser.add_argument('--a', default=os.environ.get('HOME'))",
    ),
    "default from another package": (
        "default",
        "import torch\nparser.add_argument('--a', default=torch.cuda.device_count())",
    ),
    "default is an object": ("default", "parser.add_argument('--a', default=object())"),
    "default from a choice that is not known": (
        "default",
        "import sys\nparser.add_argument('--a', default=1 if sys.platform == 'x' else 2)",
    ),
    "choices from another package": ("choices", "import torch\nparser.add_argument('--a', choices=torch.names())"),
    "choices in part": ("choices", "import torch\nparser.add_argument('--a', choices=['a', *torch.names()])"),
    "choices that somebody changed": (
        "choices",
        "import random\nnames = ['a', 'b']\nrandom.shuffle(names)\nparser.add_argument('--a', choices=names)",
    ),
    "choices that may have been changed": (
        "choices",
        "import sys\nnames = ['a']\nif sys.x:\n    names.append('b')\nparser.add_argument('--a', choices=names)",
    ),
    "choices that were handed on": (
        "choices",
        "import random\nnames = ['a', 'b']\nparser.add_argument('--a', choices=names)\nrandom.shuffle(names)",
    ),
    "type of another package": (
        "type",
        "from transformers import some_type\nparser.add_argument('--a', type=some_type)",
    ),
    "type made by a call": ("type", "import torch\nparser.add_argument('--a', type=torch.make())"),
    "help with something in it": (
        "help",
        "import torch\nparser.add_argument('--a', help=f'torch {torch.__version__}')",
    ),
    "help too long to work out": ("help", "parser.add_argument('--a', help='x' * 10 ** 9)"),
    "help with a monstrous width": ("help", "parser.add_argument('--a', help=f'{1:999999999}')"),
    "a number too large to work out": ("default", "parser.add_argument('--a', default=9 ** 9 ** 9)"),
    "a number that grows": ("default", "n = 3\nfor _ in range(40): n *= n\nparser.add_argument('--a', default=n)"),
    "a text that grows": ("default", "n = 'x'\nfor _ in range(40): n += n\nparser.add_argument('--a', default=n)"),
    "nargs": ("nargs", "import torch\nparser.add_argument('--a', nargs=torch.n)"),
    "required": ("required", "import os\nparser.add_argument('--a', required='X' in os.environ)"),
    "second flag": ("flags", "import torch\nparser.add_argument('--a', torch.flag)"),
    "dest": ("name", "import torch\nparser.add_argument('--a', dest=torch.name)"),
    "a default that may be set": (
        "default",
        "import sys\nparser.add_argument('--a', default=1)\nif sys.flags.debug:\n    parser.set_defaults(a=2)",
    ),
    "a change that may be made": (
        "default",
        "import sys\naction = parser.add_argument('--a', default=1)\nif sys.flags.debug:\n    action.default = 2",
    ),
}


@pytest.mark.parametrize(("field", "body"), FIELDS.values(), ids=FIELDS)
def test_a_field_that_is_not_known_is_marked(tmp_path: Path, field: str, body: str) -> None:
    option = only(tmp_path, body)
    assert option.unread == (field,)
    assert option.flags == ("--a",)


def only(tmp_path: Path, body: str) -> Option:
    (option,) = read(lay_out(tmp_path / "checkout", setup(body))).options
    return option


def test_keywords_that_are_not_known_may_set_anything_but_what_is_written(tmp_path: Path) -> None:
    option = only(tmp_path, "import torch\nparser.add_argument('--a', type=int, help='h', **torch.more())")
    assert (option.type, option.help) == ("int", "h")
    assert option.unread == ("action", "choices", "const", "default", "nargs", "required")


def test_an_action_that_is_not_known_hides_what_it_decides(tmp_path: Path) -> None:
    option = only(tmp_path, "from torch import Act\nparser.add_argument('--a', action=Act, help='h', default=2)")
    assert option.unread == ("action", "const", "nargs", "type")
    assert (option.help, option.default) == ("h", 2)


# Places: the body, the options that are kept, and what the note about the place says.
PLACES = {
    "an if": (
        "import torch\nif torch.cuda.is_available():\n    parser.add_argument('--a')\nparser.add_argument('--b')",
        {"a": True, "b": False},
        "whether `torch.cuda.is_available()` holds",
    ),
    "an if with an else": (
        "import os\nif os.name == 'nt':\n    parser.add_argument('--a')\nelse:\n    parser.add_argument('--b')",
        {"a": True, "b": True},
        "whether `os.name == 'nt'` holds",
    ),
    "an if that returns": (
        "import os\nparser.add_argument('--a')\nif os.name == 'nt':\n    return parser\nparser.add_argument('--b')",
        {"a": False, "b": True},
        None,
    ),
    "a loop": (
        "import torch\nfor n in torch.names():\n    parser.add_argument('--a')\n    break\nparser.add_argument('--b')",
        {"a": True, "b": False},
        "what the loop over `torch.names()` runs over",
    ),
    "a loop that may stop": (
        "import t\nfor n in 'ab':\n    if t.x: break\n    parser.add_argument('--' + n)\nparser.add_argument('--c')",
        {"a": True, "b": True, "c": False},
        None,
    ),
    "a while": (
        "import torch\nwhile torch.more():\n    parser.add_argument('--a')\nparser.add_argument('--b')",
        {"a": True, "b": False},
        "how often `while torch.more()` runs",
    ),
    "a try": (
        "try:\n    import torch\n    parser.add_argument('--a')\nexcept Exception: pass\nparser.add_argument('--b')",
        {"a": True, "b": False},
        "whether what stands in this `try` succeeds",
    ),
    "a match": (
        "import sys\nmatch sys.platform:\n    case 'x': parser.add_argument('--a')\nparser.add_argument('--b')",
        {"a": True, "b": False},
        "what `sys.platform` is",
    ),
    "a call that gets the parser": (
        "import torch\nparser.add_argument('--a')\ntorch.add(parser)\nparser.add_argument('--b')",
        {"a": False, "b": False},
        "what `torch.add` does with the parser",
    ),
    "a call that gets it in a list": (
        "import torch\ntorch.add([parser])\nparser.add_argument('--b')",
        {"b": False},
        "what `torch.add` does with the parser",
    ),
    "a decorator": (
        "import torch\n@torch.changes\ndef add(p): p.add_argument('--a')\nadd(parser)",
        {"a": False},
        "what the decorator `torch.changes` makes of `add`",
    ),
    "a name": (
        "import torch\nparser.add_argument(f'--{torch.name}')\nparser.add_argument('--b')",
        {"b": False},
        "the name of the option that is added here",
    ),
    "a parser from elsewhere": (
        "import torch\ngroup = torch.group(parser)\ngroup.add_argument('--a')",
        {"a": True},
        "which parser this option is added to",
    ),
    "an option twice": (
        "parser.add_argument('--a')\nparser.add_argument('--a')\nparser.add_argument('--b')",
        {"a": False, "b": False},
        "argparse refuses this: argument --a: conflicting option string: --a",
    ),
    "an unknown method": (
        "parser.add_argument('--a')\nparser._registry_get('x', 'y')",
        {"a": False},
        "what `parser._registry_get` does to the parser",
    ),
    "calls without end": (
        "def again(p): again(p)\nagain(parser)\nparser.add_argument('--a')",
        {"a": False},
        "what `again` does with the parser: it calls itself too many times over",
    ),
    "a generator": (
        "def some(p):\n    yield p\nlist(some(parser))\nparser.add_argument('--a')",
        {"a": False},
        "what `some` does with the parser: it is a generator",
    ),
    "work without end": (
        "parser.add_argument('--a')\nfor x in range(9999):\n    for y in range(9999):\n        z = x * y",
        {"a": False},
        "`setup_parser` asks for too many steps to follow",
    ),
    "a loop until something unknown": (
        "import torch\nwhile True:\n    if torch.x: break\n    parser.add_argument('--a')\nparser.add_argument('--b')",
        {"a": True, "b": False},
        "how often `while True` runs",
    ),
    "something else among the actions": (
        "parser.add_argument('--a')\nparser._actions.append(5)",
        {"a": False},
        "what else is put among the parser's actions",
    ),
    "argparse's own parts": (
        "parser.add_argument('--a')\nparser._actions = 5\nparser._registries = None\nparser.add_argument('--b')",
        {"a": False, "b": False},
        "what the change of `_actions` does",
    ),
    "another thing returned": (
        "import torch\nparser.add_argument('--a')\nreturn torch.wrapped(parser.prog)",
        {"a": False},
        "what `setup_parser` returns",
    ),
    "a removal that may happen": (
        "import os\naction = parser.add_argument('--a')\nif os.name == 'x':\n    parser._remove_action(action)",
        {"a": False},
        "what `parser._remove_action` does to the parser",
    ),
}


@pytest.mark.parametrize(("body", "kept", "note"), PLACES.values(), ids=PLACES)
def test_a_place_that_is_not_known_is_noted(tmp_path: Path, body: str, kept: dict[str, bool], note: str | None) -> None:
    found = read(lay_out(tmp_path / "checkout", setup(body)))
    assert {option.name: "presence" in option.unread for option in found.options} == kept
    if note is not None:
        assert note in [each.what for each in found.unread]
        assert all(each.where.startswith(SCRIPT) for each in found.unread)


def test_what_all_branches_agree_on_is_known(tmp_path: Path) -> None:
    body = """
        import torch
        if torch.cuda.is_available():
            parser.add_argument("--a", type=int, default=1)
            kind = float
        elif torch.other:
            raise RuntimeError("no")
        else:
            parser.add_argument("--a", type=int, default=2)
            kind = float
        parser.add_argument("--b", type=kind)
        x = torch.nothing and parser.add_argument("--c")
        """
    a, b, c = read(lay_out(tmp_path / "checkout", setup(body))).options
    assert (a.name, a.type, a.unread) == ("a", "int", ("default",))
    assert (b.name, b.type, b.unread) == ("b", "float", ())
    assert (c.name, c.unread) == ("c", ("presence",))


def test_a_branch_that_ends_in_an_exception_is_not_taken(tmp_path: Path) -> None:
    body = """
        import sys, torch
        def fail(): raise SystemExit("too old")
        if torch.__version__ < "2":
            fail()
        if torch.broken:
            sys.exit(1)
        parser.add_argument("--a")
        """
    found = read(lay_out(tmp_path / "checkout", setup(body)))
    assert found.unread == () and found.options[0].unread == ()


BROKEN = {
    "no parser anywhere": ("x = 1  # ArgumentParser\n", "there is no `setup_parser` here"),
    "not Python": ("def setup_parser(:\n", "not valid for Python"),
    "a NUL": ("def setup_parser(): pass\0\n", "not valid for Python"),
    "nested beyond reason": (setup("x = " + "(" * 5000 + ")" * 5000), "not valid for Python"),
    "setup_parser is a number": ("setup_parser = 3\n", "what `setup_parser` returns"),
    "setup_parser is async": ("async def setup_parser(): pass\n", "what `setup_parser` returns"),
    "setup_parser calls itself": ("def setup_parser():\n    return setup_parser()\n", "what `setup_parser` returns"),
    "setup_parser imports itself": ("from train_thing import setup_parser\n", "what `setup_parser` returns"),
    "setup_parser fails": ("def setup_parser():\n    raise OSError\n", "what `setup_parser` returns"),
    "an import that is not there": ("from library.gone import setup_parser\n", "what `setup_parser` returns"),
    "functions within functions": (
        setup("f = lambda: g(f(), f())\ng = lambda *a: f()\nf()"),
        None,
    ),
    "a list that holds itself": (setup("x = []\nx.append(x)\nparser.add_argument('--a', choices=x)"), None),
    "a class above itself": ("class A(A): pass\n" + setup("A().b.c()\nparser.add_argument('--a')"), None),
    "a chain that leans right": (setup("parser.add_argument('--a', help=" + "('x' + " * 80 + "''" + ")" * 81), None),
    "nothing but odd syntax": (
        setup(
            "x = [*[], *{}, *()][::0]\nx[1:2], y = lambda: (yield), ...\ndel x[0]\nx @= 3\nparser.add_argument('--a')"
        ),
        None,
    ),
}


@pytest.mark.parametrize(("text", "note"), BROKEN.values(), ids=BROKEN)
def test_code_that_is_broken_or_odd_gives_notes_and_no_traceback(tmp_path: Path, text: str, note: str | None) -> None:
    found = read(lay_out(tmp_path / "checkout", {SCRIPT: text, "train_other.py": "setup_parser = None\n"}))
    if note is not None:
        assert any(note in each.what for each in found.unread)


def test_a_file_that_cannot_be_parsed_is_noted_where_it_is(tmp_path: Path) -> None:
    files = {SCRIPT: setup("from library.bad import add\nadd(parser)"), "library/bad.py": "def add(:\n"}
    found = read(lay_out(tmp_path / "checkout", files))
    assert [each.where for each in found.unread if each.what.startswith("not valid for Python")] == ["library/bad.py"]
    assert any("does with the parser" in each.what for each in found.unread)


def test_nothing_of_the_checkout_runs(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    harm = f"open({str(trace)!r}, 'w').close()\n__import__('pathlib').Path({str(trace)!r}).touch()\n"
    body = f"import pathlib\nparser.add_argument('--a', default=pathlib.Path({str(trace)!r}).write_text('x'))"
    files = {SCRIPT: harm + "import library.harm\n" + setup(body), "library/harm.py": harm}
    read(lay_out(tmp_path / "checkout", files))
    assert not trace.exists()
