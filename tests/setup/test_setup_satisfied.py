"""Whether packages satisfy a requirements.txt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launcher.setup.satisfied import named, requirement_lines, satisfied, unsatisfied

TEXT = """
# a comment
accelerate==1.6.0
diffusers[torch]==0.32.1  # with extras
bitsandbytes
numpy<=2.0
tomli>=2; python_version < '3.11'
git+https://packages.invalid/x.git
-r other.txt
--extra-index-url https://packages.invalid/simple
-e .
"""
ALL = {"accelerate": "1.6.0", "diffusers": "0.32.1", "bitsandbytes": "0.45", "numpy": "1.26.4"}


def test_all_are_there() -> None:
    assert unsatisfied(TEXT, ALL, (3, 11)) == ()


def test_what_is_missing_or_of_another_version() -> None:
    assert unsatisfied(TEXT, {**ALL, "accelerate": "1.7.0"}, (3, 11)) == ("accelerate==1.6.0",)
    assert unsatisfied(TEXT, {**ALL, "numpy": "2.2"}, (3, 11)) == ("numpy<=2.0",)
    del (without := dict(ALL))["bitsandbytes"]
    assert unsatisfied(TEXT, without, (3, 11)) == ("bitsandbytes",)


def test_what_holds_only_for_some_pythons() -> None:
    assert unsatisfied(TEXT, ALL, (3, 10)) == ("tomli>=2; python_version < '3.11'",)


def test_a_local_build_is_of_its_version() -> None:
    assert satisfied(["torch==2.6.0"], {"torch": "2.6.0+cu124"})
    assert not satisfied(["torch==2.6.0"], {"torch": "2.6.1+cu124"})


def test_names_as_indexes_compare_them() -> None:
    assert named("LyCORIS_lora<4.1") == "lycoris-lora"
    assert satisfied(["lycoris_lora<4.1"], {"lycoris-lora": "4.0.0"})


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert unsatisfied(text, {}, None) is not None
    for line in requirement_lines(text):
        named(line)
        satisfied([line], {"x": text})
