"""Prompts and CLIP's tokens: those that are cut, and weights that are no numbers. For SD and SDXL only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from launcher.base.findings import Finding
from launcher.base.words import counted
from launcher.data.clip_tokens import ClipTokenizer, most_tokens
from launcher.data.prompt_weights import Weighted, weighted
from launcher.data.tokenizer_files import find_clip_tokenizer
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.prompt_codes import LONG, NOT_COUNTED, TOO_LONG, WEIGHT
from launcher.trainer.source_text import Evidence

CHUNK = 75  # tokens that CLIP takes at once, without start and end
_LONGER = (150, 225)  # what max_token_length may be (library/train_util.py)
_MOST_CHARACTERS = 100_000  # of all prompts together: hostile text must not take long
_CHUNKS = re.compile(r"max_embeddings_multiples: Optional\[int\] = (\d+)")


@dataclass(frozen=True)
class PromptText:
    """A text that the model is given: the prompt or the negative prompt; `what` begins a message."""

    where: str | None
    what: str
    text: str


def check_tokens(candidate: Candidate, pipelines: Iterable[str], texts: Iterable[PromptText]) -> Iterator[Finding]:
    """Texts that are too long for CLIP, and weights that are no numbers.

    `pipelines` are the files of the pipelines that draw the samples; without one the model is none with CLIP's limits.
    """
    files = tuple(pipelines)
    if not files:
        return
    long: list[tuple[PromptText, Weighted]] = []
    trained = _trained(candidate)
    for each in _first(texts):
        parsed = weighted(each.text)
        if parsed.bad_weight is not None:
            if _weighs(candidate, files):
                message = f"{each.what}{_shown(parsed.bad_weight)!r} behind a colon in brackets is no weight."
                hint = 'Write a number, as in (word:1.2), or put a backslash before the bracket: "\\(".'
                yield WEIGHT.at(each.where, message, hint)
        elif most_tokens(each.text) > trained:
            long.append((each, parsed))
    if long:
        yield from _counted(candidate, files, trained, long)


def clip_tokenizer_of(candidate: Candidate) -> ClipTokenizer | None:
    """CLIP's tokenizer as the run will use it; None when its files are not on this machine."""
    ftfy = not candidate.packages.known or candidate.packages.find("ftfy") is not None
    environ = {**candidate.environ, **candidate.environment.variables}
    cache_dir, model = candidate.path("tokenizer_cache_dir"), candidate.path("pretrained_model_name_or_path")
    return find_clip_tokenizer(environ, cache_dir=cache_dir, model=model, ftfy=ftfy)


def _first(texts: Iterable[PromptText]) -> Iterator[PromptText]:
    left = _MOST_CHARACTERS
    for each in texts:
        left -= len(each.text)
        if left < 0:
            return
        yield each


def _counted(
    candidate: Candidate, files: tuple[str, ...], trained: int, long: list[tuple[PromptText, Weighted]]
) -> Iterator[Finding]:
    tokenizer = clip_tokenizer_of(candidate)
    if tokenizer is None:
        whose = counted(len(long), "prompt")
        message = f"The tokens of {whose} were not counted: the files of CLIP's tokenizer are not on this machine."
        yield NOT_COUNTED.at(long[0][0].where, message, f"CLIP takes {CHUNK} tokens at once.")
        return
    kept = _kept(candidate, files)
    for each, parsed in long:
        count = sum(tokenizer.count_tokens(piece) for piece in parsed.pieces)
        if kept is not None and count > kept:
            message = f"{each.what}It has {count} tokens; the trainer draws the first {kept} and drops the rest."
            yield TOO_LONG.at(each.where, message, f"Shorten it to {kept} tokens.")
        elif count > trained:
            longer = next((length for length in _LONGER if length >= count), None)
            more = f", or set max_token_length = {longer}" if longer and candidate.has("max_token_length") else ""
            message = f"{each.what}It has {count} tokens, and captions are cut at {trained} in training."
            yield LONG.at(each.where, message, f"Shorten it to {trained} tokens{more}.")


def _trained(candidate: Candidate) -> int:
    value = candidate.value("max_token_length")
    return value if isinstance(value, int) and value in _LONGER else CHUNK


def _kept(candidate: Candidate, files: tuple[str, ...]) -> int | None:
    """How many tokens the pipeline draws; None where its source does not say."""
    chunks = {int(number) for file in files for number in _CHUNKS.findall(candidate.source.text(file))}
    return CHUNK * chunks.pop() if len(chunks) == 1 else None


def _weighs(candidate: Candidate, files: tuple[str, ...]) -> bool:
    patterns = (r"float\(weight\)", r":\(\[\+-\]\?\[\.\\d\]\+\)")
    return any(candidate.says(Evidence(file, "", patterns)) for file in files)


def _shown(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
