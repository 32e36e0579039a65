"""Every way of writing a parser that is known to occur is read as Python itself would have it."""

from __future__ import annotations

from pathlib import Path

import pytest
from trainer_checkouts import SCRIPT, as_fields, lay_out, read, setup, truth

IN_ONE_SCRIPT = {
    "actions": """
        parser.add_argument("--plain")
        parser.add_argument("-s", "--short-and-long", type=int, default=-3)
        parser.add_argument("--yes", action="store_true")
        parser.add_argument("--no", action="store_false", help="no")
        parser.add_argument("--seven", action="store_const", const=7)
        parser.add_argument("--more", action="append", type=float, default=[1.5])
        parser.add_argument("--verbose", action="count", default=0)
        parser.add_argument("--either", action=argparse.BooleanOptionalAction, default=True, help="either")
        parser.add_argument("--version", action="version", version="1")
        parser.add_argument("--other", dest="another", required=True)
        parser.add_argument("positional", nargs="?", const=None, default="x")
        parser.add_argument("rest", nargs=argparse.REMAINDER)
        parser.add_argument("--maybe", nargs="?", const="c", metavar="M")
        parser.add_argument("--two", nargs=2, type=int, default=(1, 2), metavar=("A", "B"))
        parser.add_argument("--many", nargs="+", choices=["a", "b"], default=argparse.SUPPRESS)
        """,
    "numbers": """
        parser.add_argument("--a", default=-1, type=int)
        parser.add_argument("--b", default=1e-4, type=float)
        parser.add_argument("--c", default=2**10 // 3 - +4 * 2 % 5)
        parser.add_argument("--d", default=float("inf"))
        parser.add_argument("--e", default=min(3, 2) + round(2.7) + abs(-1) + len("abc"))
        parser.add_argument("--f", default=1 / 4)
        parser.add_argument("--g", default=True)
        parser.add_argument("--h", default=1.0)
        parser.add_argument("--i", default=not 0)
        parser.add_argument("--j", default=~5 | 8 & 12 ^ 1)
        """,
    "texts": """
        width = 3
        name = "n"
        parser.add_argument("--a", help="one" "two" + " three" + ' "four" ' * 2)
        parser.add_argument("--b", help=f"{name!r} is {width:>5} / {1 / 3:.{width}f}" + f"{name}")
        parser.add_argument("--c", help="%s of %d" % (name, width))
        parser.add_argument("--d", help="{} and {n}".format(width, n=name).upper().strip())
        parser.add_argument("--e", help=" / ".join(["x", "y"]) + ", ".join(sorted({"b", "a"})))
        parser.add_argument("--f", help="100% of 5%(x)s / 日本語")
        parser.add_argument("--g", help=("in "
            "parentheses"))
        parser.add_argument(f"--{name}_{width}", default="abcdef"[1:-1:2] + "xyz"[-1])
        """,
    "choices": """
        table = {"a": 1, "b": 2}
        parser.add_argument("--a", choices=list(table.keys()))
        parser.add_argument("--b", choices=table)
        parser.add_argument("--c", choices=sorted(table, reverse=True))
        parser.add_argument("--d", choices=range(1, 4), type=int)
        parser.add_argument("--e", choices=[None, "x"] + list(("y", "z")))
        parser.add_argument("--f", choices=[key + suffix for key in table for suffix in ("1", "2") if key != "b"])
        parser.add_argument("--g", choices=("t",), default=table["b"])
        parser.add_argument("--h", choices=[*table, *[3, 4]])
        parser.add_argument("--i", choices=list(map(str, [1, 2])), type=str)
        parser.add_argument("--j", choices={k: v for k, v in table.items()}, default={**table, "c": 3}["c"])
        parser.add_argument("--k", choices=[])
        parser.add_argument("--l", choices="abc")
        parser.add_argument("--m", choices=[str(n) for n, _ in enumerate(zip("ab", "cd"))])
        parser.add_argument("--n", choices=list(reversed(["p", "q"])) + list(filter(None, ["", "r"])))
        """,
    "ifs": """
        def add(parser, first, second=True, *, third="x"):
            if first:
                parser.add_argument("--first")
            if not second:
                return
            if third == "x":
                parser.add_argument("--x")
            elif third in ("y", "z") and first is not None:
                parser.add_argument("--yz", default=1 if third == "y" else 2)
            else:
                parser.add_argument("--else")
        add(parser, True)
        add(argparse.ArgumentParser(), True)
        add(parser, None, third="y") if False else add(parser, False, third="y")
        add(parser, first=0, third="w")
        add(*[parser, 0], **{"second": False})
        1 < 2 <= 2 and parser.add_argument("--chained")
        0 or parser.add_argument("--or")
        """,
    "loops": """
        for name, kind in (("a", int), ("b", float)):
            parser.add_argument(f"--{name}", type=kind)
        for index in range(5):
            if index == 1:
                continue
            if index == 3:
                break
            parser.add_argument("--n" + str(index))
        else:
            parser.add_argument("--not-reached")
        for flag in []:
            parser.add_argument(flag)
        else:
            parser.add_argument("--reached")
        count = 0
        while count < 3:
            count += 1
            parser.add_argument(f"--w{count}")
        for (a, *b), c in [((1, 2, 3), 4)]:
            parser.add_argument(f"--unpacked{a}{b}{c}".replace(" ", "").replace("[", "_").replace("]", "_"))
        """,
    "changing lists": """
        names = ["a"]
        also = names
        names.append("b")
        names += ["c"]
        also.extend(x for x in ("d", "e"))
        also.remove("a")
        table = {}
        table["k"] = names
        table.setdefault("l", []).append("m")
        table.update(z=1)
        parser.add_argument("--names", choices=names, default=table["l"][0])
        parser.add_argument("--grows", choices=also, default=table["l"])
        table["l"] += ["later"]
        parser.add_argument("--keys", choices=list(table))
        if (n := len(names)) > 3:
            parser.add_argument("--walrus", default=n)
        first, (second, *others) = 1, [2, 3, 4]
        parser.add_argument("--others", nargs="*", default=others + [first, second])
        """,
    "types": """
        import json
        import os.path as path
        from functools import partial, wraps
        from pathlib import Path
        def own(text): return text
        def twice(function):
            @wraps(function)
            def inner(text): return function(function(text))
            return inner
        @twice
        def wrapped(text): return text
        class Kind: pass
        kinds = {"i": int}
        parser.add_argument("--a", type=own)
        parser.add_argument("--b", type=lambda text: text)
        parser.add_argument("--c", type=Path)
        parser.add_argument("--d", type=json.loads)
        parser.add_argument("--e", type=path.abspath)
        parser.add_argument("--f", type=wrapped)
        parser.add_argument("--g", type=kinds["i"])
        parser.add_argument("--h", type=Kind)
        parser.add_argument("--i", type=partial(int, base=16))
        parser.add_argument("--j", type=argparse.FileType("r"))
        parser.add_argument("--k", type=str.lower)
        parser.add_argument("--l", type=eval)
        parser.add_argument("--m", type=bool)
        parser.add_argument("--n", type=None)
        """,
    "groups": """
        group = parser.add_argument_group("g", "about")
        group.add_argument("--in-group", type=int)
        parser.add_argument("--after")
        one = group.add_mutually_exclusive_group()
        one.add_argument("--this", action="store_true")
        one.add_argument("--that", action="store_true")
        parser.add_mutually_exclusive_group(required=True).add_argument("--alone")
        add = parser.add_argument
        add("--by-alias")
        getattr(parser, "add_argument")("--by-name")
        """,
    "later changes": """
        parser.set_defaults(early=5)
        parser.add_argument("--early", type=int)
        parser.add_argument("--given", default=1)
        late = parser.add_argument("--late", default=1, help="h")
        parser.set_defaults(late=2, given=3, nobody=4)
        late.help += " more"
        late.required = True
        for action in parser._actions:
            if action.dest == "given":
                action.choices = [1, 3]
        parser.add_argument("--gone")
        parser._remove_action(parser._actions[-1])
        parser.add_argument("--copied", default=parser.get_default("late"))
        """,
    "parents": """
        def base():
            parent = argparse.ArgumentParser(add_help=False)
            parent.add_argument("--from-parent", default=1)
            return parent
        parser = argparse.ArgumentParser("name", parents=[base()], conflict_handler="resolve",
                                         argument_default=argparse.SUPPRESS, prefix_chars="-+",
                                         formatter_class=argparse.RawTextHelpFormatter)
        parser.add_argument("--own", "-o")
        parser.add_argument("--another", "-o")
        parser.add_argument("--from-parent", default=2)
        parser.add_argument("++plus")
        """,
    "subparsers": """
        sub = parser.add_subparsers(dest="command", help="what")
        run = sub.add_parser("run")
        run.add_argument("--inside")
        """,
    "classes": """
        import enum
        class Mode(enum.Enum):
            FAST = "fast"
            SLOW = "slow"
            def shout(self): return self.value.upper()
        class Word(str, enum.Enum):
            A = "a"
        class Names:
            LIST = ["x", "y"]
            @staticmethod
            def add(parser): parser.add_argument("--static")
            @classmethod
            def add_more(cls, parser): parser.add_argument("--class", choices=cls.LIST)
        class Adder(Names):
            def __init__(self, prefix): self.prefix = prefix
            def add_one(self, parser, name): parser.add_argument(f"--{self.prefix}-{name}")
            def add_both(self, parser):
                self.add_one(parser, "1")
                super().add_more(parser)
        parser.add_argument("--a", choices=[mode.value for mode in Mode], default=Mode.FAST.value)
        parser.add_argument("--b", choices=[mode.name.lower() for mode in Mode], default=Mode["SLOW"].name)
        parser.add_argument("--c", default=Word.A)
        Names.add(parser)
        Adder("p").add_both(parser)
        """,
    "subclasses of argparse": """
        class Upper(argparse.Action):
            def __init__(self, option_strings, dest, **kwargs):
                kwargs["help"] = kwargs.get("help", "") + "!"
                super().__init__(option_strings, dest, **kwargs)
                self.option_strings = self.option_strings + [text.upper() for text in self.option_strings]
            def __call__(self, parser, namespace, values, option_string=None): pass
        class Group(argparse._ArgumentGroup):
            def _add_action(self, action):
                if isinstance(action, argparse._StoreTrueAction):
                    action.help = "switch"
                return super()._add_action(action)
        class Parser(argparse.ArgumentParser):
            def add_argument(self, *args, **kwargs):
                kwargs.setdefault("help", "none given")
                return super().add_argument(*args, **kwargs)
            def add_argument_group(self, *args, **kwargs):
                group = Group(self, *args, **kwargs)
                self._action_groups.append(group)
                return group
        parser = Parser(description="d")
        parser.add_argument("--a", action=Upper, type=int)
        parser.add_argument("--b", help="b")
        parser.add_argument_group("g").add_argument("--c", action="store_true")
        """,
    "nested functions": """
        level = 2
        def outer(parser):
            names = []
            def inner(name, default=level):
                nonlocal names
                names = names + [name]
                parser.add_argument("--" + name, default=default)
            inner("a")
            inner("b", default=len(names))
            return names
        made = outer(parser)
        parser.add_argument("--made", choices=made)
        (lambda p, n: p.add_argument(n))(parser, "--from-lambda")
        """,
    "tries": """
        try:
            parser.add_argument("--sure")
        except Exception:
            parser.add_argument("--never")
        else:
            parser.add_argument("--too")
        finally:
            parser.add_argument("--always")
        try:
            parser.add_argument("--sure", default=1)
        except argparse.ArgumentError:
            parser.add_argument("--instead")
        try:
            import argparse as known
        except ImportError:
            known = None
        parser.add_argument("--known", default=known is None)
        try:
            raise ValueError("no")
        except ValueError:
            parser.add_argument("--raised")
        with open(__file__) as file:
            parser.add_argument("--with")
        """,
    "matches": """
        for kind in ("a", "b", "c", None):
            match kind:
                case "a": parser.add_argument("--match-a")
                case "b" | "bb": parser.add_argument("--match-b")
                case None: parser.add_argument("--match-none")
                case _: parser.add_argument("--match-else")
        """,
    "odds and ends": """
        from textwrap import dedent
        from typing import TYPE_CHECKING, cast
        import copy, logging, math, os, sys
        if TYPE_CHECKING:
            parser.add_argument("--never")
        parser.add_argument("--a", default=math.pi, help=dedent(\"\"\"
            text
              more
            \"\"\"))
        parser.add_argument("--b", default=os.path.join("a", "b") + os.path.basename("c/d"))
        parser.add_argument("--c", default=logging.INFO)
        parser.add_argument("--d", default=cast(int, 5), help=__doc__)
        assert parser is not None
        x: int = 4
        y: str
        del x
        print("noise", parser)
        parser.description = "d"
        parser.add_argument("--e", default=isinstance(4, (int, str)))
        for line in parser.format_help(): pass
        parser.epilog = f"{os.environ.get('HOME')}"
        global made_here
        made_here = 3
        parser.add_argument("--g", default=made_here, choices=[3] if made_here else None)
        """,
    "a long chain": 'parser.add_argument("--a", help=' + " + ".join(['"x"'] * 900) + ")",
}

IN_SEVERAL_FILES = {
    "modules": {
        SCRIPT: """
            import argparse
            import library.util as util
            import library.other
            from library import third as three, CONSTANT
            from library.fourth import *
            from library.util import add_more as more, WORDS
            from sibling import setup_parser as base
            def setup_parser():
                parser = base()
                util.add(parser, True)
                library.other.add(parser)
                three.add(parser)
                fourth(parser)
                more(parser, default=CONSTANT)
                parser.add_argument("--words", choices=WORDS, help=f"{len(WORDS)} words, {util.deep.NAME}")
                return parser
            if __name__ == "__main__":
                setup_parser().parse_args()
        """,
        "sibling.py": """
            import argparse
            def setup_parser():
                parser = argparse.ArgumentParser()
                parser.add_argument("--base")
                return parser
        """,
        "library/__init__.py": "CONSTANT = 7\n",
        "library/util.py": """
            import torch_that_is_not_there_for_kl if False else json
        """.replace("import torch_that_is_not_there_for_kl if False else json", "import json")
        + """
            from . import deep
            from .deep import NAME as N
            WORDS = ["a", "b"]
            WORDS += [N]
            if len(WORDS) > 2:
                WORDS.append("long")
            def add(parser: "argparse.ArgumentParser", with_extra: bool, name=N):
                parser.add_argument(f"--util-{name}")
                if with_extra:
                    deep.add(parser)
            def add_more(parser, default):
                parser.add_argument("--more", default=default)
        """,
        "library/deep.py": """
            NAME = "deep"
            def add(parser):
                from library import util
                parser.add_argument("--deep", choices=util.WORDS)
        """,
        "library/other.py": 'def add(parser): parser.add_argument("--other")\n',
        "library/third.py": 'from .fourth import _hidden\ndef add(p): p.add_argument("--third", default=_hidden)\n',
        "library/fourth.py": '_hidden = 4\ndef fourth(parser): parser.add_argument("--fourth")\n',
    },
    "a folder without __init__": {
        SCRIPT: "from tools import parts\nimport tools.more\nsetup_parser = parts.make\n",
        "tools/parts.py": """
            import argparse
            from tools.more import N
            def make():
                parser = argparse.ArgumentParser()
                parser.add_argument("--n", default=N)
                return parser
        """,
        "tools/more.py": "N = 3\n",
    },
    "importing in a circle": {
        SCRIPT: """
            import argparse
            from one import add
            def setup_parser():
                parser = argparse.ArgumentParser()
                add(parser)
                return parser
        """,
        "one.py": "import two\nNAME = '--one'\ndef add(parser): parser.add_argument(NAME, default=two.value())\n",
        "two.py": "import one\ndef value(): return one.NAME\n",
    },
    "a parser of the module": {
        SCRIPT: """
            import argparse
            parser = argparse.ArgumentParser()
            def register(name):
                parser.add_argument(name)
            register("--a")
            for name in ("--b", "--c"):
                register(name)
            def setup_parser():
                return parser
        """,
    },
    "a module changed from outside": {
        SCRIPT: """
            import argparse
            import part
            part.NAME = "changed"
            part.names.append("x")
            def setup_parser():
                parser = argparse.ArgumentParser()
                part.add(parser)
                return parser
        """,
        "part.py": "NAME = 'a'\nnames = []\ndef add(p): p.add_argument('--' + NAME, choices=names)\n",
    },
    "in another encoding": {
        SCRIPT: "# -*- coding: utf-8 -*-\n" + setup('parser.add_argument("--a", help="Größe / 大きさ")'),
    },
}


@pytest.mark.parametrize("body", IN_ONE_SCRIPT.values(), ids=IN_ONE_SCRIPT)
def test_a_construct_is_read_as_python_has_it(tmp_path: Path, body: str) -> None:
    root = lay_out(tmp_path / "checkout", setup(body))
    found = read(root)
    assert found.unread == ()
    assert [option for option in found.options if option.unread] == []
    assert [as_fields(option) for option in found.options] == truth(root)


@pytest.mark.parametrize("files", IN_SEVERAL_FILES.values(), ids=IN_SEVERAL_FILES)
def test_calls_are_followed_across_files(tmp_path: Path, files: dict[str, str]) -> None:
    root = lay_out(tmp_path / "checkout", files)
    found = read(root)
    assert found.unread == ()
    assert [as_fields(option) for option in found.options] == truth(root)


def test_the_source_is_where_the_call_begins(tmp_path: Path) -> None:
    files = {
        SCRIPT: setup("from library.parts import add\nadd(parser)\nparser.add_argument(\n    '--b',\n)"),
        "library/parts.py": "def add(parser):\n    parser.add_argument(\n        '--a')\n",
    }
    found = read(lay_out(tmp_path, files))
    assert [option.source for option in found.options] == ["library/parts.py:2", f"{SCRIPT}:7"]


def test_a_script_without_setup_parser_is_read_as_it_starts(tmp_path: Path) -> None:
    script = """
        import argparse
        def train(args):
            argparse.ArgumentParser().add_argument("--not-me")
        if __name__ == '__main__':
            parser = argparse.ArgumentParser()
            parser.add_argument("--me", type=int, default=3)
            args = parser.parse_args()
            train(args)
    """
    found = read(lay_out(tmp_path, script))
    assert found.unread == ()
    assert [(option.name, option.default) for option in found.options] == [("me", 3)]


def test_options_are_found_by_name_and_by_flag(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, setup("parser.add_argument('-l', '--learning-rate', nargs='+')")))
    option = found.get("learning_rate")
    assert option is not None and option is found.by_flag("-l") is found.by_flag("--learning-rate")
    assert option.takes_items and not option.is_flag
    assert found.get("lr") is None and found.by_flag("--learning_rate") is None
