from __future__ import annotations

import pytest

from launcher.base.words import counted, listed, some_of


@pytest.mark.parametrize(
    ("names", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_with_a_word_before_the_last(names: list[str], said: str) -> None:
    assert listed(names) == said
    assert listed(iter(names), "or") == said.replace(" and ", " or ")


def test_names_beyond_the_first_are_counted() -> None:
    assert some_of(["a", "b", "c"]) == "a, b, c"
    assert some_of(["a", "b", "c", "d"]) == "a, b, c and 1 more"
    assert some_of(["a", "b", "c"], 1) == "a and 2 more"
    assert some_of([]) == ""


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 pictures"), (1, "1 picture"), (2, "2 pictures"), (-1, "-1 pictures")]
)
def test_a_number_has_its_noun(number: int, said: str) -> None:
    assert counted(number, "picture") == said
