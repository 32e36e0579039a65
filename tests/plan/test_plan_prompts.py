"""Sample prompts as lines: what the trainer's reader makes of them is what was meant."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plan_bed import setting

from launcher.base.settings import Value
from launcher.plan.prompts import prompt_lines

# The grammar of sd-scripts' prompt lines, in the order in which its reader tries (library/train_util.py).
GRAMMAR = [
    ("width", r"w (\d+)", int), ("height", r"h (\d+)", int), ("seed", r"d (\d+)", int),
    ("sample_steps", r"s (\d+)", lambda text: max(1, min(1000, int(text)))),
    ("scale", r"l ([\d\.]+)", float), ("guidance_scale", r"g ([\d\.]+)", float),
    ("negative_prompt", r"n (.+)", str), ("sample_sampler", r"ss (.+)", str), ("controlnet_image", r"cn (.+)", str),
    ("cfg_trunc_ratio", r"ctr (.+)", float), ("renorm_cfg", r"rcfg (.+)", float), ("flow_shift", r"fs (.+)", float),
]  # fmt: skip


def _as_the_trainer(text: str) -> list[dict[str, Any]]:
    """The prompts of a file, as the trainer's load_prompts and line_to_prompt_dict read it."""
    lines = text.splitlines(keepends=True) if text.isascii() else re.findall(r"[^\n]*\n|[^\n]+", text)
    return [_prompt(line.strip()) for line in lines if line.strip() and line[0] != "#"]


def _prompt(line: str) -> dict[str, Any]:
    parts = line.split(" --")
    found: dict[str, Any] = {"prompt": parts[0]}
    for part in parts:
        for key, pattern, kind in GRAMMAR:
            match = re.match(pattern, part, re.IGNORECASE)
            if match:
                found[key] = kind(match[1])  # type: ignore[operator]
                break
    return found


def _written(*prompts: Value) -> tuple[str, tuple[str, ...]]:
    text, findings = prompt_lines(setting("sample_prompts", list(prompts), line=7))
    assert all(finding.where == "fox.toml:7" for finding in findings)
    return text, tuple(finding.code for finding in findings)


def test_a_prompt_with_everything() -> None:
    prompt: dict[str, Value] = {
        "prompt": "a fox, in snow", "negative_prompt": "blurry", "width": 512, "height": 768, "seed": 0,
        "sample_steps": 20, "scale": 7.5, "guidance_scale": 3, "sample_sampler": "euler_a",
        "controlnet_image": "/a b.png", "cfg_trunc_ratio": 0.25, "renorm_cfg": 1.0, "flow_shift": 3.0,
    }  # fmt: skip
    text, findings = _written(prompt)
    assert not findings
    assert _as_the_trainer(text) == [prompt]
    assert text.startswith("a fox, in snow --n blurry --w 512 ")


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
_KEYS: dict[str, st.SearchStrategy[Value]] = {
    "negative_prompt": _TEXT, "sample_sampler": _TEXT, "controlnet_image": _TEXT,
    "width": st.integers(0, 10**6), "height": st.integers(0, 10**6), "seed": st.integers(0, 2**62),
    "sample_steps": st.integers(-1, 1100), "scale": st.floats(0, 1e20) | st.integers(0, 30),
    "guidance_scale": st.floats(0, 30), "cfg_trunc_ratio": st.floats(0, 1), "renorm_cfg": st.floats(0, 1),
    "flow_shift": st.floats(0, 1),
}  # fmt: skip
_PROMPT = st.fixed_dictionaries({"prompt": _TEXT | st.sampled_from(["w 5", "n girl", "D 4"])}, optional=_KEYS)


@given(st.lists(_PROMPT, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_what_is_accepted_is_read_as_it_was_meant(prompts: list[dict[str, Value]]) -> None:
    text, findings = _written(*prompts)
    assume(not findings)
    meant = [
        {key: value.strip() if isinstance(value, str) else value for key, value in prompt.items()} for prompt in prompts
    ]
    for prompt in meant:
        if not prompt.get("negative_prompt", "x"):
            del prompt["negative_prompt"]
    assert _as_the_trainer(text) == meant


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "  "}, "prompt"),
        ({"prompt": "# fox"}, "prompt"),
        ({"prompt": "two\nlines"}, "prompt"),
        ({"prompt": "a --n b"}, "prompt"),
        ({"prompt": "--w 5"}, "prompt"),
        ({"prompt": "n girl"}, "prompt"),
        ({"prompt": "S 20 foxes"}, "prompt"),
        ({"prompt": "fox", "negative_prompt": "a --b"}, "prompt"),
        ({"prompt": "fox", "sample_sampler": ""}, "prompt"),
        ({"prompt": "fox", "sample_steps": 0}, "prompt"),
        ({"prompt": "fox", "sample_steps": 1001}, "prompt"),
        ({"prompt": 5}, "wrong-type"),
        ({"prompt": "fox", "width": "512"}, "wrong-type"),
        ({"prompt": "fox", "width": 512.0}, "wrong-type"),
        ({"prompt": "fox", "width": True}, "wrong-type"),
        ({"prompt": "fox", "seed": -1}, "wrong-type"),
        ({"prompt": "fox", "scale": float("nan")}, "wrong-type"),
        ({"prompt": "fox", "scale": float("inf")}, "wrong-type"),
        ({"prompt": "fox", "negative_prompt": None}, "wrong-type"),
        ({"prompt": "fox", "sampler": "ddim"}, "unknown-key"),
        ("fox", "wrong-type"),
        (None, "wrong-type"),
    ],
)
def test_refused(prompt: Value, code: str) -> None:
    assert code in _written(prompt)[1]


def test_the_nearest_key() -> None:
    _, findings = prompt_lines(setting("sample_prompts", [{"prompt": "fox", "negative_promt": "x"}]))
    assert [finding.hint for finding in findings] == ["Did you mean negative_prompt?"]


def test_one_table_is_one_prompt() -> None:
    assert prompt_lines(setting("sample_prompts", {"prompt": "fox"})) == ("fox\n", ())


def test_small_numbers_keep_their_value() -> None:
    text, _ = _written({"prompt": "fox", "scale": 1.5e-11})
    assert _as_the_trainer(text)[0]["scale"] == 1.5e-11 and "e" not in text
