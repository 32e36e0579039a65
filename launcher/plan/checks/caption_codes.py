"""The kinds of findings about captions."""

from __future__ import annotations

from launcher.base.findings import Code, Severity

_TRAIN_UTIL = "library/train_util.py"
_READ = f"{_TRAIN_UTIL}, DreamBoothDataset.__init__, read_caption"

EMPTY = Code(
    "caption-file-empty",
    Severity.ERROR,
    "The trainer stops at a caption file of 0 bytes, before it trains.",
    _READ,
)
NOT_UTF8 = Code(
    "caption-not-utf8",
    Severity.ERROR,
    "The trainer reads captions as UTF-8 and stops at a file that is written otherwise.",
    _READ,
)
UNREADABLE = Code(
    "caption-unreadable",
    Severity.ERROR,
    "The trainer stops at a caption file that it cannot open.",
    _READ,
)
BLANK = Code(
    "caption-blank",
    Severity.WARNING,
    "The line that the trainer takes is blank, so the picture is trained on without any words.",
    _READ,
)
LINES = Code(
    "caption-lines-lost",
    Severity.WARNING,
    "The trainer takes the first line of a caption file and drops the others; only enable_wildcard keeps them, and "
    "draws one of them each time.",
    _READ,
)
EXTENSION = Code(
    "caption-extension",
    Severity.ERROR,
    "The trainer takes captions from files with one extension, .caption where nothing else is said. Others it never "
    "opens, and trains on these pictures without their words.",
    _READ,
)
MISSING = Code(
    "caption-missing",
    Severity.WARNING,
    "A picture without a caption file is trained on with the subset's class tokens, and without any words where there "
    "are none; only the log says so.",
    f"{_TRAIN_UTIL}, DreamBoothDataset.__init__, load_dreambooth_dir",
)
ALONE = Code(
    "caption-without-picture",
    Severity.WARNING,
    "Nothing reads a caption file without its picture: the picture is missing, or one of the two is misnamed.",
    _READ,
)
KEEP_TOKENS = Code(
    "keep-tokens-beyond",
    Severity.WARNING,
    "All of a caption's tags are kept in place where it has fewer than keep_tokens: nothing of it is shuffled or "
    "dropped.",
    f"{_TRAIN_UTIL}, BaseDataset.process_caption",
)
SEPARATOR = Code(
    "keep-separator-absent",
    Severity.WARNING,
    "keep_tokens_separator parts the tags to keep from the others. In a caption without it keep_tokens counts instead.",
    f"{_TRAIN_UTIL}, BaseDataset.process_caption",
)
MIXED_UP = Code(
    "captions-mixed-up",
    Severity.ERROR,
    "With cache_info captions are taken from the trainer's list in its own order, but validation_split mixes the "
    "pictures first: from the second run on pictures get the captions of others.",
    f"{_TRAIN_UTIL}, DreamBoothDataset.__init__, load_dreambooth_dir",
)
