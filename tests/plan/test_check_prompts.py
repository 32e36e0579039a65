"""Sample prompts against a checkout whose prompt reader and sampling are built as sd-scripts builds them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from candidate_bed import candidate_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_bed import NEEDED, USUAL, option, switch
from prompt_sources import DRAWS, LOAD_PROMPTS, NOT_COMMENTED, PIPELINE, SAMPLE_IMAGES, TABLES, drawing
from trainer_sources import TRAIN_UTIL_HEAD

from launcher.base.findings import Finding, Severity
from launcher.plan.checks.prompts import check_prompts

TRAIN_UTIL = TRAIN_UTIL_HEAD + LOAD_PROMPTS + SAMPLE_IMAGES + DRAWS
FAMILY = """
from library import train_util

def sample_images(args):
    for prompt_dict in train_util.load_prompts(args.sample_prompts):
        sample_image_inference(prompt_dict)
""" + drawing(
    {
        "guidance_scale": 3.5, "height": 512, "negative_prompt": None, "prompt": "", "scale": 1.0, "seed": None,
        "width": 512,
    },
    16,
    'assert seed is None or seed > 0, "no"',
)  # fmt: skip
SOURCES = {
    "train_network.py": "from library import train_util\ntrain_util.sample_images()\n",
    "moon_train.py": "from library import moon_train_utils\nmoon_train_utils.sample_images()\n",
    "library/train_util.py": TRAIN_UTIL,
    "library/lpw_stable_diffusion.py": PIPELINE,
    "library/moon_train_utils.py": FAMILY,
}
OPTIONS = (
    *USUAL,
    option("sample_every_n_epochs", type="int"),
    switch("sample_at_first"),
    option("tokenizer_cache_dir", type="str"),
    option("max_token_length", type="int", choices=(None, 150, 225)),
)
EVERY = "sample_every_n_steps = 100\n"


def found(
    folder: Path,
    content: str | bytes,
    name: str = "prompts.txt",
    *,
    more: str = EVERY,
    script: str = "train_network.py",
    sources: dict[str, str] | None = None,
) -> list[Finding]:
    """The findings for a file of prompts that a spec names."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    text = f'{NEEDED}sample_prompts = "{name}"\n{more}'
    candidate = candidate_of(folder, text, *OPTIONS, sources={**SOURCES, **(sources or {})}, script_file=script)
    return list(check_prompts(candidate, cache=folder / "cache"))


def inline(folder: Path, text: str) -> list[Finding]:
    candidate = candidate_of(folder, NEEDED + EVERY + text, *OPTIONS, sources=SOURCES)
    return list(check_prompts(candidate, cache=folder / "cache"))


def said(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


SOUND = """# prompts
masterpiece, 1girl, (fox:1.2), [snow] --w 512 --h 768 --d 1 --l 7.5 --s 28 --n low quality, (bad:1.1) --ss euler_a

a fox - with a dash --
well-known sci-fi, 50-mm, -s, x--y, Nikon D 850, 16:9 --W 512 --H 512
a fox --n --w 512
a fox at f 2.8, n-gram, sony a-s 20
"""


def test_sound_prompts_are_passed_over(tmp_path: Path) -> None:
    assert found(tmp_path, SOUND) == []


def test_sound_tables_are_passed_over(tmp_path: Path) -> None:
    toml = """
    [prompt]
    width = 512
    scale = 7
    [[prompt.subset]]
    prompt = "a fox"
    negative_prompt = "blurry"
    seed = 5
    [[prompt.subset]]
    prompt = "a cat -- and a fox"
    height = 768
    sample_sampler = "ddim"
    """
    assert found(tmp_path, toml, "prompts.toml") == []
    items = ["a fox --w 512", {"prompt": "a", "seed": None, "negative_prompt": None, "scale": 5.5, "sample_steps": 20}]
    assert found(tmp_path, json.dumps(items), "prompts.json") == []


def test_no_file_and_no_reader_say_nothing(tmp_path: Path) -> None:
    candidate = candidate_of(tmp_path, NEEDED, *OPTIONS, sources=SOURCES)
    assert list(check_prompts(candidate, cache=tmp_path / "cache")) == []
    assert found(tmp_path, "a --foo 1", sources={"train_network.py": "print()"}) == []


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("a --width 512", "Did you mean --w 512?"),
        ("a --steps 20", "Did you mean --s 20?"),
        ("a --cfg 7", "Did you mean --l 7?"),
        ("a --cfg-scale 7", "Did you mean --l 7?"),
        ("a --neg blurry", "Did you mean --n blurry?"),
        ("a --seeed 3", "Did you mean --d 3?"),
        ("a --sampler euler_a", "Did you mean --ss euler_a?"),
        ("a --ar 16:9", "Give --w and --h in pixels."),
        ("a --foo 1", "A prompt line takes --w, --h, --d, --s, --l, --g, --n, --ss, --cn."),
        ("a -- red fox", 'Write the prompt without " --"; only flags begin so.'),
    ],
)
def test_unknown_flags_are_dropped(tmp_path: Path, line: str, hint: str) -> None:
    finding = only(found(tmp_path, f"# first\n\n{line}\n"))
    assert (finding.code, finding.severity, finding.hint) == ("prompt-flag-unknown", Severity.ERROR, hint)
    assert finding.where is not None
    assert finding.where.endswith("prompts.txt:3")
    assert "without a word" in finding.message


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("a --w=512", "Write --w 512."),
        ("a --w  512", "Write --w 512."),
        ("a --w512", "Write --w 512."),
        ("a --w 512.5", "It takes a whole number."),
        ("a --l 7,5", "It takes a number with a decimal point."),
        ("a --l 7.5.1", "Write a number in plain digits."),
        ("a --l -1", None),
        ("a --s x", None),
        ("a --ss", "Give one, or leave the flag out."),
        ("--h 512 a fox --w 512 a fox", "The prompt itself comes first, the flags behind it."),
    ],
)
def test_values_that_do_not_match(tmp_path: Path, line: str, hint: str | None) -> None:
    findings = [finding for finding in found(tmp_path, line) if finding.code != "prompt-flag-in-text"]
    finding = only(findings)
    assert (finding.code, finding.severity, finding.hint) == ("prompt-flag-value", Severity.ERROR, hint)


def test_a_negative_seed_is_what_happens_anyway(tmp_path: Path) -> None:
    finding = only(found(tmp_path, "a --d -1"))
    assert (finding.code, finding.severity) == ("prompt-flag-value", Severity.WARNING)


def test_a_flag_twice(tmp_path: Path) -> None:
    assert said(found(tmp_path, "a --w 512 --w 768")) == ["prompt-flag-twice"]


@pytest.mark.parametrize("line", ["a -w 512", "a \u2013w 512", "a \u2014w 512", "a,--w 512", "a\t--w 512", "--w 512 a"])
def test_flags_that_stay_in_the_text(tmp_path: Path, line: str) -> None:
    finding = only(found(tmp_path, line))
    assert (finding.code, finding.severity) == ("prompt-flag-in-text", Severity.WARNING)
    assert finding.hint == 'Write " --w 512".'


def test_a_prompt_that_begins_as_a_flag(tmp_path: Path) -> None:
    assert said(found(tmp_path, "n girl, fox")) == ["prompt-read-as-flag"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a --w 500", "--w is 500, not divisible by 8: the trainer makes it 496."),
        ("a --h 32", "--h is 32, too small: the trainer makes it 64."),
        ("a --s 2000", "--s is 2000: the trainer makes it 1000."),
        ("a --s 0", "--s is 0: the trainer makes it 1."),
    ],
)
def test_values_that_the_trainer_changes(tmp_path: Path, line: str, words: str) -> None:
    finding = only(found(tmp_path, line))
    assert (finding.code, finding.severity) == ("prompt-value-changed", Severity.WARNING)
    assert finding.message.startswith(words)


@pytest.mark.parametrize("line", ["a --w 8192", "a --s 999", "a --l 75"])
def test_values_beyond_use(tmp_path: Path, line: str) -> None:
    assert said(found(tmp_path, line)) == ["prompt-unusual"]


def test_seeds(tmp_path: Path) -> None:
    assert said(found(tmp_path, f"a --d {2**64}\nb --d {2**64 - 1}\nc --d 0")) == ["prompt-seed"]
    assert said(found(tmp_path, "a --d 0", script="moon_train.py")) == ["prompt-seed"]
    assert found(tmp_path, "a --d 1", script="moon_train.py") == []


def test_samplers(tmp_path: Path) -> None:
    finding = only(found(tmp_path, "a --ss euler-a"))
    assert (finding.code, finding.severity, finding.hint) == ("prompt-sampler", Severity.ERROR, "Did you mean euler_a?")
    finding = only(found(tmp_path, "a --ss ddim  --w 512"))
    assert finding.hint == "Take out the white space around ddim."


def test_pictures(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    assert found(tmp_path, f"a --cn {tmp_path}/x.png") == []
    assert said(found(tmp_path, f"a --cn {tmp_path}/y.png")) == ["prompt-image-missing"]
    assert said(found(tmp_path, "a --cn x.png")) == ["prompt-image-missing"]  # from the checkout on


def test_flags_of_other_families(tmp_path: Path) -> None:
    finding = only(found(tmp_path, "a --g 3.5"))
    assert (finding.code, finding.severity) == ("prompt-flag-unused", Severity.WARNING)
    assert finding.hint == "It takes the scale from --l."
    assert found(tmp_path, "a --g 3.5", script="moon_train.py") == []
    assert said(found(tmp_path, "a --ss euler_a", script="moon_train.py")) == ["prompt-flag-unused"]


def test_another_family_has_another_multiple(tmp_path: Path) -> None:
    assert found(tmp_path, "a --w 520") == []
    assert "16" in only(found(tmp_path, "a --w 520", script="moon_train.py")).message


def test_a_negative_prompt_without_guidance(tmp_path: Path) -> None:
    assert said(found(tmp_path, "a --n bad", script="moon_train.py")) == ["prompt-negative-unused"]
    assert said(found(tmp_path, "a --n bad --l 1")) == ["prompt-negative-unused"]
    assert found(tmp_path, "a --n bad --l 4", script="moon_train.py") == []
    assert found(tmp_path, "a --l 1") == []


@pytest.mark.parametrize("content", ["", "# a fox\n", "\n  \n", "[]", "[prompt]\nsubset = []\n"])
def test_files_without_a_prompt(tmp_path: Path, content: str) -> None:
    name = "p.json" if content == "[]" else "p.toml" if "subset" in content else "p.txt"
    finding = only(found(tmp_path, content, name))
    assert (finding.code, finding.severity) == ("prompts-empty", Severity.WARNING)


def test_comments_that_are_none(tmp_path: Path) -> None:
    assert said(found(tmp_path, " # no comment\na fox")) == ["prompt-comment"]
    older = TRAIN_UTIL.replace(NOT_COMMENTED, "")
    assert found(tmp_path, " # a comment\na fox", sources={"library/train_util.py": older}) == []


def test_a_byte_order_mark(tmp_path: Path) -> None:
    finding = only(found(tmp_path, "\ufeffa fox"))
    assert (finding.code, finding.severity) == ("prompts-encoding", Severity.WARNING)
    assert said(found(tmp_path, "\ufeff# a fox")) == ["prompts-encoding", "prompt-comment"]
    finding = only(found(tmp_path, '\ufeff["a fox"]', "p.json"))
    assert (finding.code, finding.severity) == ("prompts-encoding", Severity.ERROR)


def test_other_encodings(tmp_path: Path) -> None:
    finding = only(found(tmp_path, "a fox\nun été".encode("latin-1")))
    assert (finding.code, finding.severity) == ("prompts-encoding", Severity.ERROR)
    assert str(finding.where).endswith("prompts.txt:2")


@pytest.mark.parametrize(
    ("name", "content", "code", "line"),
    [
        ("p.toml", "[prompt]\nwidth = = 3\n", "prompts-syntax", 2),
        ("p.toml", "[[prompt]]\nprompt = 'a'\n", "prompts-form", 1),
        ("p.toml", "width = 3\n", "prompts-form", None),
        ("p.toml", "[prompt]\nwidth = 512\n", "prompts-form", 1),
        ("p.toml", "[prompt]\n[prompt.subset]\nprompt = 'a'\n", "prompts-form", 1),
        ("p.toml", "width = 3\n[prompt]\n[[prompt.subset]]\nprompt = 'a'\n", "prompts-form", 1),
        ("p.toml", "[prompt]\nseed = 1\n[[prompt.subset]]\nprompt = 'a'\nseed = 2\n", "prompt-key-twice", 5),
        ("p.toml", "[prompt]\nheigth = 64\n[[prompt.subset]]\nprompt = 'a'\n", "prompt-key-unknown", 2),
        ("p.toml", "[prompt]\n[[prompt.subset]]\nprompt = 'a'\nwidth = '512'\n", "prompt-wrong-type", 4),
        ("p.toml", "[prompt]\n[[prompt.subset]]\nprompt = 'a --w 512'\n", "prompt-flag-in-table", 3),
        ("p.json", "[1,\n2,]", "prompts-syntax", 2),
        ("p.json", '{"prompt": "a"}', "prompts-form", None),
        ("p.json", '["a",\n 3]', "prompts-form", 2),
        ("p.json", '["a",\n {"prompt": "a", "width": 512.0}]', "prompt-wrong-type", 2),
        ("p.json", '[{"prompt": "a", "width": null}]', "prompt-wrong-type", 1),
        ("p.json", '[{"prompt": 5}]', "prompt-wrong-type", 1),
        ("p.json", '[{"prompt": "a", "scale": true}]', "prompt-wrong-type", 1),
        ("p.json", '[{"prompt": "a", "steps": 5}]', "prompt-key-unknown", 1),
    ],
)
def test_tables_of_another_form(tmp_path: Path, name: str, content: str, code: str, line: int | None) -> None:
    finding = only(found(tmp_path, content, name))
    assert (finding.code, finding.severity) == (code, Severity.ERROR)
    assert str(finding.where).endswith(f"{name}:{line}" if line else name)


def test_a_table_without_words(tmp_path: Path) -> None:
    assert said(found(tmp_path, '[{"seed": 5}]', "p.json")) == ["prompt-empty"]


def test_old_releases_read_lines_only(tmp_path: Path) -> None:
    older = TRAIN_UTIL.replace(TABLES, "{}")
    assert said(found(tmp_path, '["a"]', "p.json", sources={"library/train_util.py": older})) == ["prompts-form"]


def test_what_a_key_is_in_a_spec(tmp_path: Path) -> None:
    assert inline(tmp_path, '[[sample_prompts]]\nprompt = "a"\nwidth = 512\nnegative_prompt = "b"\n') == []
    finding = only(
        inline(tmp_path, '[[sample_prompts]]\nprompt = "a"\n[[sample_prompts]]\nprompt = "b"\nwidth = 500\n')
    )
    assert finding.code == "prompt-value-changed"
    assert finding.message.startswith("sample_prompts 2: ")
    assert "fox.toml:" in str(finding.where)
    finding = only(inline(tmp_path, '[[sample_prompts]]\nprompt = "a"\nflow_shift = 3.0\n'))
    assert finding.code == "prompt-flag-unknown"
    assert finding.message == "sample_prompts 1: This release of the trainer knows no flow_shift (--fs)."


def test_where_no_samples_are_drawn_nothing_is_an_error(tmp_path: Path) -> None:
    finding = only(found(tmp_path, "a --width 512", more=""))
    assert (finding.code, finding.severity) == ("prompt-flag-unknown", Severity.WARNING)
    finding = only(found(tmp_path, "a --width 512", more="sample_at_first = true\n"))
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("prompts", "processes", "severity"),
    [(3, 2, Severity.ADVICE), (1, 4, Severity.WARNING), (4, 2, None), (3, 1, None), (3, 0, None)],
)
def test_processes_without_a_prompt(tmp_path: Path, prompts: int, processes: int, severity: Severity | None) -> None:
    more = f"{EVERY}[accelerate]\nnum_processes = {processes}\n"
    findings = found(tmp_path, "a fox\n" * prompts, more=more)
    assert [finding.severity for finding in findings] == ([severity] if severity else [])
    assert set(said(findings)) <= {"prompts-idle-gpus"}
    assert found(tmp_path, "a fox\n" * prompts, more=more, script="moon_train.py") == []


MERGES = "#version\nf o\nfo x</w>\n"


def tokenizer(folder: Path) -> str:
    place = folder / "tokens" / "openai_clip-vit-large-patch14"
    place.mkdir(parents=True, exist_ok=True)
    (place / "merges.txt").write_text(MERGES, encoding="utf-8")
    return EVERY + 'tokenizer_cache_dir = "tokens"\n'


def test_prompts_are_counted(tmp_path: Path) -> None:
    more = tokenizer(tmp_path)
    assert found(tmp_path, "fox " * 75, more=more) == []
    assert found(tmp_path, "(((fox:1.1))), " * 37, more=more) == []  # brackets and weights are no tokens
    finding = only(found(tmp_path, "fox " * 76, more=more))
    assert (finding.code, finding.severity) == ("prompt-long", Severity.WARNING)
    assert "76 tokens" in finding.message
    assert "150" in str(finding.hint)
    assert found(tmp_path, "fox " * 76, more=more + "max_token_length = 150\n") == []
    finding = only(found(tmp_path, f"fox\na --n {'fox ' * 226}", more=more))
    assert (finding.code, finding.severity) == ("prompt-too-long", Severity.WARNING)
    assert finding.message.startswith("The negative prompt: It has 226 tokens")
    assert str(finding.where).endswith(":2")


def test_another_kind_of_model_has_no_such_limit(tmp_path: Path) -> None:
    assert found(tmp_path, "fox " * 300, more=tokenizer(tmp_path), script="moon_train.py") == []


def test_without_the_tokenizer_it_says_that_they_were_not_counted(tmp_path: Path) -> None:
    finding = only(found(tmp_path, f"fox\n{'fox ' * 30}\n{'cat ' * 30}"))
    assert (finding.code, finding.severity) == ("prompt-tokens-not-counted", Severity.ADVICE)
    assert "2 prompts" in finding.message
    assert found(tmp_path, "fox\n" + "f" * 75) == []


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    finding = only(found(tmp_path, "a (fox:1.2.3) b"))
    assert (finding.code, finding.severity) == ("prompt-weight", Severity.ERROR)
    assert found(tmp_path, "a (fox:1.2.3) b", script="moon_train.py") == []
    assert found(tmp_path, "a fox:1.2.3) b, (oh:x)") == []


_PIECES = st.sampled_from(
    [" --", "--", "w 512", "w", "=", "s 5", "n ", "cn ", "-1", ".", "(", ":", ")", "[", "\\", "#", "\n", "\r", "\t",
     "a fox", "\ufeff", "\0", "é", "🦊", "9" * 50, "\u0661", "l .", "d ", '"', "{", "}", "]", "prompt",
     "subset", ",", "null"]
)  # fmt: skip


def _texts() -> Iterator[st.SearchStrategy[bytes]]:
    yield st.lists(_PIECES, max_size=40).map(lambda pieces: "".join(pieces).encode())
    yield st.binary(max_size=200)
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["prompt", "width", "seed", "scale", "subset", "x"]), inner, max_size=4)
        ),
        max_leaves=12,
    )
    yield values.map(lambda value: json.dumps(value).encode())


@given(content=st.one_of(*_texts()), ending=st.sampled_from([".txt", ".toml", ".json"]), moon=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
def test_whatever_the_file_holds_nothing_is_raised(tmp_path: Path, content: bytes, ending: str, moon: bool) -> None:
    script = "moon_train.py" if moon else "train_network.py"
    for finding in found(tmp_path, content, f"p{ending}", script=script):
        assert finding.message
        assert len(finding.message) < 2000


def test_a_file_of_any_size_has_few_findings(tmp_path: Path) -> None:
    assert len(found(tmp_path, "a --foo 1\n" * 100_000)) == 100
    assert "prompts-not-checked" in said(found(tmp_path, "a fox\n" * 501))
