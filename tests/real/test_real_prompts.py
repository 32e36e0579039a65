"""Prompt lines, weights and CLIP's tokens, against the real functions of sd-scripts and the real tokenizer.

The bed's tokenizer is `tokenizers/openai_clip-vit-large-patch14`.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from real_bed import CHECKOUT, PYTHON, TOKENIZERS, needs

from launcher.data.prompt_weights import weighted
from launcher.data.tokenizer_files import find_clip_tokenizer
from launcher.trainer.checkout import open_checkout
from launcher.trainer.prompt_flags import PromptReader, parts_of, read_prompt_reader

pytestmark = needs(CHECKOUT, PYTHON)

_FUNCTIONS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from library import train_util
from library.lpw_stable_diffusion import parse_prompt_attention
asked = json.load(open(sys.argv[2]))
def pieces(text):
    try:
        return [piece for piece, _ in parse_prompt_attention(text)]
    except ValueError:
        return "ValueError"
answers = {
    "lines": [train_util.line_to_prompt_dict(line) for line in asked["lines"]],
    "weights": [pieces(text) for text in asked["weights"]],
}
json.dump(answers, open(sys.argv[3], "w"))
"""
_TOKENS = """
import json, sys
from transformers import CLIPTokenizer
from transformers.models.clip.tokenization_clip import BasicTokenizer
tokenizer = CLIPTokenizer.from_pretrained(sys.argv[1])
texts = json.load(open(sys.argv[2]))
count = lambda: [len(tokenizer(text).input_ids) - 2 for text in texts]
answers = {"ftfy": count() if tokenizer.fix_text else None}
tokenizer.fix_text, tokenizer.nlp = None, BasicTokenizer(strip_accents=False, do_split_on_punc=False)
answers["plain"] = count()
json.dump(answers, open(sys.argv[3], "w"))
"""


def _asked(folder: Path, program: str, root: Path, question: Any) -> Any:
    (folder / "question.json").write_text(json.dumps(question), encoding="utf-8")
    python = str(PYTHON)
    words = [python, "-c", program, str(root), str(folder / "question.json"), str(folder / "answer.json")]
    subprocess.run(words, check=True, capture_output=True, cwd=folder, timeout=300)
    return json.loads((folder / "answer.json").read_text(encoding="utf-8"))


def _mixed(pool: Sequence[str], count: int, longest: int, seed: int) -> list[str]:
    chance = random.Random(seed)  # noqa: S311 - the same texts each time
    return ["".join(chance.choice(pool) for _ in range(chance.randint(1, longest))) for _ in range(count)]


LINES = [
    "a fox", "a fox --w 512 --h 768 --d 1 --s 28 --l 7.5 --n bad --ss euler_a", "a --width 512", "a --w=512",
    "a --w  5", "a --w 512.5", "a --w 512px", "a --W 64", "a --s 0", "a --s 5000", "a --l 7,5", "a --l 7.5.1",
    "a --l .", "a --l -1", "a --d -1", "a --n", "a --n ", "n girl", "w 5 a", "--w 512 a", "a\t--w 512",
    "a,--w 512", "a -- red --w 5", "a --ss x  --w 5", "a --w 512 --w 768", "a --steps 5", "a --ctr x",
    "a --ctr 0.5", "a --fs 3.0", "a --g 3", "a --rcfg 1", "a --cn x y", "", " --w 5", "a --w \u0665",
    "a --w " + "9" * 5000, "a --nn x", "a --N bad --S 3",
]  # fmt: skip
LINE_PIECES = [
    " --",
    "--",
    " ",
    "w",
    "512",
    "s 3",
    "l ",
    "7.5",
    "n bad",
    "ss",
    "d",
    "=",
    "-1",
    ".",
    "g 2",
    "cn x",
    "fs 1",
    "a",
]
WEIGHT_PIECES = [
    "(",
    ")",
    "[",
    "]",
    ":",
    "1.3",
    "a",
    "fox ",
    "\\",
    "(a:1.2)",
    "(b:.)",
    "(c:1.2.3)",
    "-1",
    "+",
    ", ",
    "é",
    ":1)",
]


def _values(reader: PromptReader, line: str) -> dict[str, Any]:
    """The table that the trainer makes of a line, as kl understands its reader."""
    parts = parts_of(line, reader.flags)
    values: dict[str, Any] = {"prompt": parts[0].text}
    for part in parts:
        if part.flag and part.flag.kind == "text":
            values[part.flag.key] = part.value
        elif part.flag:
            number = part.number()
            if number is not None:
                least, most = part.flag.least, part.flag.most
                number = number if most is None else min(most, number)
                values[part.flag.key] = number if least is None else max(least, number)
    return values


def test_lines_and_weights_are_taken_apart_as_the_trainer_does(tmp_path: Path) -> None:
    lines = [*LINES, *_mixed(LINE_PIECES, 2000, 12, seed=1)]
    weights = _mixed(WEIGHT_PIECES, 2000, 14, seed=2)
    answers = _asked(tmp_path, _FUNCTIONS, CHECKOUT, {"lines": lines, "weights": weights})
    reader = read_prompt_reader(CHECKOUT, "train_network.py", cache=tmp_path / "cache")
    assert reader is not None
    assert reader.complete
    for line, truth in zip(lines, answers["lines"], strict=True):
        assert _values(reader, line) == truth, line
    for text, truth in zip(weights, answers["weights"], strict=True):
        ours = weighted(text)
        assert ("ValueError" if ours.bad_weight else list(ours.pieces) or [""]) == truth, text
    assert "ValueError" in answers["weights"]


def test_every_script_that_draws_samples_is_followed(tmp_path: Path) -> None:
    followed = {
        script: read_prompt_reader(CHECKOUT, script, cache=tmp_path) for script in open_checkout(CHECKOUT).scripts
    }
    without = {script for script, reader in followed.items() if reader is None}
    for script in without:  # those have their calls of sample_images in comments
        calls = (line.strip() for line in (CHECKOUT / script).read_text(encoding="utf-8").splitlines())
        assert not any("sample_images(" in line and not line.startswith("#") for line in calls), script
    for reader in followed.values():
        assert reader is None or (reader.complete and reader.keys and reader.multiple in (8, 16))
    network, flux = followed["train_network.py"], followed.get("flux_train_network.py")
    assert network is not None
    assert network.pipelines
    assert flux is None or (flux.multiple == 16 and not flux.pipelines)


TEXTS = [
    "a fox in the snow", "masterpiece, best quality", "don't it's WE'LL I'M they've", "l'été naïve café",
    "日本語のテキスト", "北京", "한국어", "🦊 👩\u200d👩\u200d👧", "ﬁne ﬀ", "ｆｕｌｌ　ｗｉｄｔｈ",
    "“quoted” ‘x’ „y‟", "1girl 2024", " ½ ² Ⅳ", "… — –", "&amp; &lt;", "<lora:x:1>", "a<|endoftext|>b",
    "<|STARTOFTEXT|>", "\t \r\n", "\u00a0 \u2003 \u200b", "!!!!!! ?!'s ''", "score_9, score_8_up",
    "http://x.y/z_w @artist", "İstanbul ß ſ", "ا ل ع हिन्दी ไทย", "\x00 \x7f \ufeff \u00ad", "a\u0301 Å x",
    "aaaaaaaaaaaaaaaaaaaaaaaaa", "𝔘𝔫𝔦", "😀😃😄", " ©®™", "1,000.50$", "snake_case-and-kebab",
]  # fmt: skip


@pytest.mark.skipif(not TOKENIZERS.is_dir(), reason="needs the files of CLIP's tokenizer: KL_REALBED/tokenizers")
def test_tokens_are_counted_as_the_real_tokenizer_does(tmp_path: Path) -> None:
    # Nothing that looks like text decoded wrongly once: ftfy would repair it, and kl does not.
    texts = [*TEXTS, *_mixed([*TEXTS, " ", ", ", "'", "(", ")"], 1500, 10, seed=3)]
    answers = _asked(tmp_path, _TOKENS, TOKENIZERS / "openai_clip-vit-large-patch14", texts)
    for kind in ("ftfy", "plain"):
        tokenizer = find_clip_tokenizer({}, cache_dir=TOKENIZERS, ftfy=kind == "ftfy")
        assert tokenizer is not None
        if answers[kind] is None:
            continue
        for text, truth in zip(texts, answers[kind], strict=True):
            assert tokenizer.count_tokens(text) == truth, (kind, text)
