"""Which keyword arguments a function reads, by its source."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.trainer.keyword_trial import MODEL, Call, follow_call
from launcher.trainer.keyword_values import UNKNOWN
from launcher.trainer.keywords import Keywords, read_keywords
from launcher.trainer.static.sources import Sources

_SIGNATURE = "def create_network(multiplier, network_dim, unet, neuron_dropout=None, **kwargs):\n"


def _read(folder: Path, body: str, **files: str) -> Keywords:
    """What `create_network` with this body reads. `files` are modules beside it in the package `networks`."""
    (folder / "networks").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "networks" / f"{name}.py").write_text(text, encoding="utf-8")
    text = body if "def create_network" in body else _SIGNATURE + "".join(f"    {line}\n" for line in body.splitlines())
    (folder / "networks" / "own.py").write_text(text, encoding="utf-8")
    found = read_keywords(Sources(folder), "networks/own.py", "create_network")
    assert found is not None
    return found


def _names(found: Keywords) -> set[str]:
    return set(found.read) - set(found.positional)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ('a = kwargs.get("rank", None)', {"rank"}),
        ('a = kwargs["rank"]', {"rank"}),
        ('a = kwargs.pop("rank")', {"rank"}),
        ('a = kwargs.setdefault("rank", 4)', {"rank"}),
        ('a = 1 if "rank" in kwargs else 2', {"rank"}),
        ('if "rank" not in kwargs:\n    raise ValueError', {"rank"}),
        ('kwargs["rank"] = 4', set()),
        ('more = kwargs\na = more.get("rank")', {"rank"}),
        ('more = dict(kwargs)\na = more.get("rank")', {"rank"}),
        ('more = {**kwargs}\na = more.get("rank")', {"rank"}),
        ('more = kwargs.copy()\na = more["rank"]', {"rank"}),
        ('for name in ["rank", "alpha"]:\n    a = kwargs.get(name)', {"rank", "alpha"}),
        ('names = ("rank", "alpha")\na = [kwargs[name] for name in names]', {"rank", "alpha"}),
        ('for name, kind in [("rank", int), ("alpha", float)]:\n    pass', set()),
        ('def inner():\n    return kwargs.get("rank")\ninner()', {"rank"}),
        ('def inner(**kwargs):\n    return kwargs.get("alpha")\na = kwargs.get("rank")', {"rank"}),
        ('for key, value in kwargs.items():\n    if key == "rank":\n        a = value', {"rank"}),
        ('if kwargs:\n    print(kwargs)\na = kwargs.get("rank")', {"rank"}),
    ],
)
def test_every_way_to_read_a_key_is_seen(tmp_path: Path, body: str, names: set[str]) -> None:
    found = _read(tmp_path, body)
    assert _names(found) == names
    assert not found.is_open
    assert found.positional == ("multiplier", "network_dim", "unet", "neuron_dropout")


def test_keys_are_followed_into_functions_and_classes(tmp_path: Path) -> None:
    body = (
        "from networks.other import split, Network\n"
        'def helper(flag, given):\n    return given.get("down"), given["mid"]\n'
        + _SIGNATURE
        + "    helper(1, kwargs)\n"
        "    split(1, **kwargs)\n    return Network(unet, **kwargs)\n"
    )
    other = (
        'def split(first, second=None, third=None, **rest):\n    return rest.get("fourth")\n'
        "class Base:\n    def __init__(self, unet, rank=4, **extra):\n        self.take(extra)\n"
        '    def take(self, extra):\n        return extra.pop("inside", None)\n'
        "class Network(Base):\n    def __init__(self, unet, own=1, **kwargs):\n"
        "        super().__init__(unet, **kwargs)\n"
    )
    found = _read(tmp_path, body, other=other)
    assert _names(found) == {"down", "mid", "second", "third", "fourth", "own", "rank", "inside"}
    assert not found.is_open


def test_old_names_are_known_with_their_new_ones(tmp_path: Path) -> None:
    table = 'OLD = {"use_cp": "use_tucker", "constrain": "constraint"}\n'
    loop = "    for key, value in list(kwargs.items()):\n        if key in OLD:\n            kwargs[OLD[key]] = value\n"
    found = _read(tmp_path, table + _SIGNATURE + loop + '    a = kwargs.get("use_tucker")\n')
    assert _names(found) == {"use_cp", "constrain", "use_tucker"}
    assert dict(found.renamed) == {"use_cp": "use_tucker", "constrain": "constraint"}
    assert not found.is_open
    found = _read(tmp_path, 'if "old" in kwargs:\n    kwargs["new"] = kwargs.pop("old")\na = kwargs.get("new")')
    assert dict(found.renamed) == {"old": "new"}


@pytest.mark.parametrize(
    "body",
    [
        "import torch\ntorch.load(**kwargs)",
        "import torch\ntorch.load(kwargs)",
        "return kwargs",
        "unet.options = kwargs",
        "for key in unet.names():\n    a = kwargs.get(key)",
        "for key, value in kwargs.items():\n    setattr(unet, key, value)",
        "vars(unet).update(kwargs)",
    ],
)
def test_what_cannot_be_followed_leaves_the_reading_open(tmp_path: Path, body: str) -> None:
    assert _read(tmp_path, body).is_open


def test_there_may_be_no_such_function(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("x = 1\n", encoding="utf-8")
    assert read_keywords(Sources(tmp_path), "own.py", "create_network") is None
    (tmp_path / "own.py").write_text("def create_network(:\n", encoding="utf-8")
    assert read_keywords(Sources(tmp_path), "own.py", "create_network") is None


def test_a_function_may_come_from_another_module(tmp_path: Path) -> None:
    other = _SIGNATURE + '    return kwargs.get("rank")\n'
    for line in ("from .other import create_network\n", "from networks.other import *\n"):
        (tmp_path / "networks").mkdir(exist_ok=True)
        (tmp_path / "networks" / "other.py").write_text(other, encoding="utf-8")
        (tmp_path / "networks" / "own.py").write_text(line, encoding="utf-8")
        found = read_keywords(Sources(tmp_path), "networks/own.py", "create_network")
        assert found is not None and _names(found) == {"rank"}


_HOSTILE = (
    "while True:\n    pass",
    "a = [0]\nfor i in range(100):\n    a.extend(a)",
    "a = [0]\nfor i in range(100):\n    a = a + a",
    "a = 'x' * 10 ** 12",
    "a = [0] * 20000\nb = [a] * 20000\nc = f'{b}'",
    "a = 7\nfor i in range(1000):\n    a = a * a",
    "a = [i for i in range(10000) for j in range(10000)]",
    "a = '%099999999d' % 1",
    "a = create_network(1, 2, 3, **kwargs)",
    "def again(x):\n    return again(x) + again(x)\nagain(1)",
    "a = " + "(" * 80 + "1" + ")" * 80,
    "a = " + "+".join(["1"] * 3000),
    "class A(A, A):\n    pass\nA(**kwargs)",
    "a = int('9' * 20000)",
    "kwargs[kwargs] = 1",
    "del kwargs",
    "kwargs = kwargs = None",
    "for kwargs in kwargs:\n    kwargs.get('a')",
    "yield kwargs['a']",
    "match kwargs:\n    case {'a': 1}:\n        pass",
    "try:\n    a = kwargs['a']\nexcept* ValueError:\n    pass",
    "(lambda: kwargs)()",
    "a = kwargs.get()",
    "global kwargs",
)


@pytest.mark.parametrize("body", _HOSTILE)
def test_hostile_source_ends_in_little_time_and_memory(tmp_path: Path, body: str) -> None:
    text = "def create_network(multiplier, network_dim, unet, **kwargs):\n"
    text += "".join(f"    {line}\n" for line in body.splitlines())
    (tmp_path / "own.py").write_text(text, encoding="utf-8")
    read_keywords(Sources(tmp_path), "own.py", "create_network")
    call = Call("create_network", (1.0, 4, MODEL), {}, {"a": "1", "b": "x"}, None)
    trier, _, _, _ = follow_call(Sources(tmp_path), "own.py", call)
    assert trier.steps < 100_000


_LINES = st.sampled_from(
    [
        "a = kwargs.get('a')", "a = int(kwargs['a'])", "b = kwargs.get('b', 'x').split(',')", "if a:", "else:",
        "for c in b:", "    a = c", "    break", "return b", "assert a", "raise ValueError(a)", "try:",
        "except ValueError:", "    continue", "b[0] = a", "b = [x for x in b if x]", "a, b = b",
        "kwargs['b'] = a", "kwargs = dict(kwargs)",
        "del b[0]", "a += b", "a = b = unet.x", "    pass", "def f(**kwargs):", "    return kwargs['c']", "f(**kwargs)",
    ]
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(_LINES, max_size=12), st.dictionaries(st.sampled_from("abc"), st.text(max_size=6), max_size=3))
def test_no_source_makes_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], texts: dict[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("own")
    body = "".join(f"    {line}\n" for line in lines) or "    pass\n"
    (folder / "own.py").write_text(f"def create_network(unet, **kwargs):\n{body}", encoding="utf-8")
    read_keywords(Sources(folder), "own.py", "create_network")
    follow_call(Sources(folder), "own.py", Call("create_network", (UNKNOWN,), {}, texts, True))
