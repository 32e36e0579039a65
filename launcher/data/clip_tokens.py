"""How many tokens CLIP's own tokenizer makes of a text, without transformers.

CLIP cuts a text into words and each word, byte by byte, into the pieces that its list of merges leaves: byte pair
encoding, with an end mark on the last byte of a word. Only that list is needed to count; which number a piece has
does not matter.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from pathlib import Path

FILES = ("merges.txt", "tokenizer.json")  # either will do
_LARGEST = 16 * 1024 * 1024  # bytes; the real files have 0.5 (merges.txt) and 2.2 MB (tokenizer.json)
_MOST_MERGES = 49152 - 256 - 2  # that many lines of merges.txt are used (transformers, tokenization_clip.py)
_END = "</w>"
# Of a text written with one letter for each character: L letter, N number, S white space, O any other.
_WORDS = re.compile(r"L+|N|O+")
_CONTRACTIONS = re.compile(r"'(?:s|t|re|ve|m|ll|d)")
_SPECIAL = re.compile(r"<\|(?:startoftext|endoftext)\|>")
_WHOLE = re.compile(r" *<\|(?:startoftext|endoftext)\|> *")
_ASCII_CLASSES = {
    code: "S" if chr(code).isspace() else "L" if chr(code).isalpha() else "N" if chr(code).isdigit() else "O"
    for code in range(128)
}
# What the ftfy package makes of text that is typed with other keys than those of a typewriter (ftfy, fix_text).
_QUOTES = {**dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u02bc"), "'"), **dict.fromkeys(map(ord, "“”„‟"), '"')}
_LIGATURES = {ord(each): unicodedata.normalize("NFKC", each) for each in "ĲĳŉǄǅǆǇǈǉǊǋǌǱǲǳﬀﬁﬂﬃﬄﬅﬆ"}
_WIDE = re.compile("[\u3000\uff01-\uffee]+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]|\x1b\\[((?:\\d|;)*)([a-zA-Z])")
# As ranges and not as a pattern: compiling such a set takes 10 ms.
_CJK = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


@dataclass(frozen=True)
class ClipTokenizer:
    """The merges, by their two halves with a blank between, and the rank of each: the lowest comes first.

    `ftfy`: whether that package is installed beside transformers; it changes how a text is tidied beforehand.
    """

    ranks: Mapping[str, int]
    ftfy: bool = True
    _known: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def count_tokens(self, text: str) -> int:
        """The number of tokens, those that mark start and end of the text left out.

        Exact but for text whose encoding was garbled once, which ftfy would repair first.
        """
        # A special token written out counts as one; what stands between two is tidied for itself.
        parts = _WHOLE.split(text)
        return len(parts) - 1 + sum(self._of_word(word) for part in parts for word in _words(_tidied(part, self.ftfy)))

    def _of_word(self, word: str) -> int:
        if word not in self._known:
            self._known[word] = 1 if _SPECIAL.fullmatch(word) else _pieces(word, self.ranks)
        return self._known[word]


def load_clip_tokenizer(folder: Path, *, ftfy: bool = True) -> ClipTokenizer | None:
    """The tokenizer whose files are in a folder: merges.txt, else tokenizer.json. None where neither can be read."""
    ranks = _merges(folder / FILES[0]) or _fast_merges(folder / FILES[1])
    return ClipTokenizer(ranks, ftfy) if ranks else None


def most_tokens(text: str) -> int:
    """A number of tokens that a text cannot exceed: cheap, and enough to pass over short ones."""
    # No token is empty; outside ASCII, tidying may write one character as several.
    return len(text) if text.isascii() else 4 * len(text.encode("utf-8", "surrogatepass"))


def _merges(path: Path) -> dict[str, int]:
    text = _read(path)
    lines = text.strip().split("\n")[1 : _MOST_MERGES + 1]
    ranks = {line: rank for rank, line in enumerate(lines)}
    if not lines or not any(line.count(" ") == 1 for line in lines[:10]):
        return {}
    return ranks


def _fast_merges(path: Path) -> dict[str, int]:
    try:
        merges = json.loads(_read(path) or "{}")["model"]["merges"]
        pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in merges]
    except (ValueError, TypeError, LookupError, RecursionError):
        return {}
    return {pair: rank for rank, pair in enumerate(pairs)}


def _read(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        return path.read_bytes().decode("utf-8")
    except (OSError, ValueError):
        return ""


def _tidied(text: str, ftfy: bool) -> str:
    if text.isascii() and "&" not in text and _CONTROL.search(text) is None:
        return text.lower()
    if ftfy:
        import html  # noqa: PLC0415 - most texts do without its table of 2231 names

        # From the first line with a < on it takes the text for HTML, and leaves it as it is.
        plain = text.rfind("\n", 0, text.index("<")) + 1 if "<" in text else len(text)
        text = html.unescape(text[:plain]) + text[plain:]
        text = _CONTROL.sub("", text).translate(_LIGATURES)
        text = _WIDE.sub(lambda wide: unicodedata.normalize("NFKC", wide[0]), text).translate(_QUOTES)
        return unicodedata.normalize("NFC", text).lower()
    # Without it transformers takes out control characters and sets each CJK character apart (BasicTokenizer).
    kept = "".join(char for char in text if char in "\t\n\r" or unicodedata.category(char)[0] != "C")
    return unicodedata.normalize("NFC", _apart(kept.replace("\ufffd", ""))).lower()


def _apart(text: str) -> str:
    """The text with a blank on both sides of every CJK character."""
    return "".join(f" {char} " if any(low <= ord(char) <= high for low, high in _CJK) else char for char in text)


def _words(text: str) -> list[str]:
    """The words: runs of letters, single digits, runs of anything else, and English endings such as 's."""
    kinds = text.translate(_ASCII_CLASSES) if text.isascii() else "".join(map(_kind, text))
    words: list[str] = []
    position = 0
    while position < len(text):
        if kinds[position] == "S":
            position += 1
            continue
        special = _SPECIAL.match(text, position) if text[position] == "<" else None
        ending = _CONTRACTIONS.match(text, position) if text[position] == "'" else None
        match = special or ending or _WORDS.match(kinds, position)
        end = match.end() if match else position + 1
        words.append(text[position:end])
        position = end
    return words


def _kind(char: str) -> str:
    if char.isspace():
        return "S"
    category = unicodedata.category(char)[0]
    return category if category in "LN" else "O"


def _pieces(word: str, ranks: Mapping[str, int]) -> int:
    """How many pieces remain of a word once all merges are done, the one of lowest rank first, from left to right."""
    symbols: list[str] = [_BYTES[byte] for byte in word.encode("utf-8", "replace")]
    symbols[-1] += _END
    last = len(symbols) - 1
    following, previous = list(range(1, last + 2)), list(range(-1, last))
    queue = [(rank, at) for at in range(last) if (rank := ranks.get(f"{symbols[at]} {symbols[at + 1]}", -1)) >= 0]
    heapify(queue)
    count = len(symbols)
    while queue:
        rank, left = heappop(queue)
        right = following[left]
        if not symbols[left] or right > last or ranks.get(f"{symbols[left]} {symbols[right]}", -1) != rank:
            continue  # one of the two has been merged with another since
        symbols[left] += symbols[right]
        symbols[right] = ""
        count -= 1
        following[left] = following[right]
        if following[right] <= last:
            previous[following[right]] = left
        for first, second in ((previous[left], left), (left, following[left])):
            if first >= 0 and second <= last:
                found = ranks.get(f"{symbols[first]} {symbols[second]}", -1)
                if found >= 0:
                    heappush(queue, (found, first))
    return count


def _byte_characters() -> list[str]:
    """The character that stands for each byte in the merges: itself where it prints, else one from 256 on."""
    printed = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (code for code in range(256, 512))
    return [chr(byte) if byte in printed else chr(next(others)) for byte in range(256)]


_BYTES = _byte_characters()
