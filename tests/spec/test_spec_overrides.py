"""`--set key=value`."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.base.errors import ExitCode, KlError
from launcher.base.origin import Origin, Source
from launcher.base.settings import Setting, Value
from launcher.spec.overrides import parse_set


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=8", 8),
        ("k= 8 ", 8),
        ("k=1e-4", 1e-4),
        ("k=true", True),
        ("k=1_000", 1000),
        ("k=[1, 'a']", [1, "a"]),
        ("k=[]", []),
        ('k="8"', "8"),
        ("k='a=b'", "a=b"),
        ('k="# no comment"', "# no comment"),
        ("k=", ""),
        ("k=True", "True"),
        ("k=bf16", "bf16"),
        ("k=a=b", "a=b"),
        ("k= some text ", " some text "),
        ("k=~/models/a.safetensors", "~/models/a.safetensors"),
        ("k=2024-01-01", "2024-01-01"),
        ("k=10:30:00", "10:30:00"),
        ("k=#fff", "#fff"),
        ("k=5 # best", "5 # best"),
        ("k=5}#", "5}#"),
        ("k=5, w = 6", "5, w = 6"),
        ("k=5\nw = 6", "5\nw = 6"),
        ("k=[1]\n[w]", "[1]\n[w]"),
        ('k="open', '"open'),
        ("k=[1", "[1"),
    ],
)
def test_a_value_is_toml_or_else_text(text: str, value: Value) -> None:
    setting = parse_set(text)
    assert setting == Setting((), "k", value, Origin(Source.SET, f"--set {text}"))
    assert type(setting.value) is type(value)


def test_nan_and_inf_are_numbers() -> None:
    assert parse_set("k=inf").value == math.inf
    value = parse_set("k=nan").value
    assert isinstance(value, float) and math.isnan(value)


def test_a_dotted_key_is_a_table_and_a_key() -> None:
    setting = parse_set("network_args.algo=loha")
    assert (setting.table, setting.key, setting.value) == (("network_args",), "algo", "loha")
    assert setting.path == "network_args.algo"
    assert parse_set(" a . b . c =1").table == ("a", "b")


def test_datasets_can_be_set_whole() -> None:
    assert parse_set("datasets=[{resolution = 512}]").value == [{"resolution": 512}]
    assert parse_set("general={shuffle_caption = true}").value == {"shuffle_caption": True}


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        ("k", "'k' has no =", "--set KEY=VALUE"),
        ("", "has no =", "--set KEY=VALUE"),
        ("=1", "has an empty key", "--set KEY=VALUE"),
        ("a.=1", "has an empty key", "--set KEY=VALUE"),
        (".a=1", "has an empty key", "--set KEY=VALUE"),
        ("a..b=1", "has an empty key", "--set KEY=VALUE"),
        ("extends=base", "cannot be set from outside", "top of the spec"),
        ("extends =base", "cannot be set from outside", "top of the spec"),
        ("network_args={algo = 'loha'}", "A table cannot be set at once", "--set network_args.KEY=VALUE"),
        ("k=[2024-01-01]", "date", "quotes"),
        ("k=99999999999999999999", "64 bits", "quotes"),
        ("k=" + "9" * 5000, "digits", "quotes"),
        ("k=" + "[" * 5000, "nesting", "three or four"),
        ("k={" + "a." * 5000 + "a=1}", "nesting", "three or four"),
        ('k="\\u0000"', "NUL", None),
        ("k=\udc80", "surrogate", None),
        ("\udc80=1", "surrogate", None),
    ],
)
def test_what_is_refused(text: str, why: str, hint: str | None) -> None:
    with pytest.raises(KlError) as caught:
        parse_set(text)
    assert caught.value.code is ExitCode.USAGE
    assert caught.value.where == f"--set {text}"
    assert why in caught.value.message
    assert hint is None or (caught.value.hint is not None and hint in caught.value.hint)


@given(st.text(alphabet="ab.=[]{}\"'#,\\ \n1-:T", max_size=30) | st.text(max_size=30))
def test_whatever_comes_is_a_setting_or_a_message(text: str) -> None:
    try:
        setting = parse_set(text)
    except KlError as error:
        assert error.code is ExitCode.USAGE
    else:
        assert setting.origin.label == f"--set {text}"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_quoted_as_toml_any_text_comes_back(text: str) -> None:
    quoted = "".join(f"\\U{ord(c):08x}" for c in text)
    assert parse_set(f'k="{quoted}"').value == text
