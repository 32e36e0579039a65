"""Causes in the files that training reads: models, states, pictures, captions and caches.

The texts are those of safetensors, torch (serialization.py), Pillow, numpy, Python, and sd-scripts
(library/train_util.py, library/strategy_base.py).
"""

from __future__ import annotations

from launcher.run.cause import Cause, Step, error, given

_HEADER = r"Error while deserializing header: (?!I/O error|IoError|[^\n]*\(os error )"
_MODEL = (
    Step(
        "Compare the size of {pretrained_model_name_or_path} with its source.", given("pretrained_model_name_or_path")
    ),
    Step("Compare the size of {network_weights} with its source.", given("network_weights")),
    Step("Compare the size of {vae} with its source.", given("vae")),
    Step("Start from the state before {resume}: a state that was cut off cannot be read.", given("resume")),
    Step("Download it again: a page of a web site that was saved as a model, or half a download, gives this."),
)

DATA: tuple[Cause, ...] = (
    Cause(
        "pickle-refused",
        "A file in the old format of torch holds more than numbers, and torch refuses that.",
        (
            Step("Use the same model as .safetensors."),
            Step("A state that an older torch wrote can be resumed with that torch.", given("resume")),
            _MODEL[-1],
        ),
        (error("UnpicklingError", "Weights only load failed"),),
    ),
    Cause(
        "model-file-damaged",
        "A file with a model, weights or a state is damaged, cut off, or no such file at all.",
        _MODEL,
        (
            error("SafetensorError", _HEADER),
            error(
                "UnpicklingError",
                "(?:invalid load key|unpickling stack underflow|pickle data was truncated|A load per)",
            ),
            error("RuntimeError", "PytorchStreamReader failed reading"),
            error("RuntimeError", r"Invalid magic number; corrupt file\?"),
            error("EOFError", "Ran out of input"),
        ),
    ),
    Cause(
        "cache-damaged",
        "A cache beside the pictures (.npz) is damaged, or was made for other settings.",
        (
            Step("Remove the .npz files beside the pictures: they are made again. kl dataset shows the folders."),
            Step("Set skip_cache_check only when every cache is known to be right.", given("skip_cache_check")),
        ),
        (
            error("BadZipFile", ""),
            error("ValueError", r"latents[\w.]* not found in [^\n]*\.npz"),
            error("KeyError", r"[\"']?[\w.]+ is not a file in the archive"),
            error("error", r"Error -\d while decompressing data"),
        ),
    ),
    Cause(
        "picture-unreadable",
        "A picture is damaged, cut off, or of a kind that cannot be read.",
        (
            Step("Open the picture that the exception names, or else the last lines of the log, and replace it."),
            Step("See what kl dataset says of the pictures."),
        ),
        (
            error("UnidentifiedImageError", ""),
            error(
                "OSError|SyntaxError", "(?:image file is truncated|broken (?:PNG|data stream)|unrecognized data stream)"
            ),
            error("DecompressionBombError", ""),
        ),
    ),
    Cause(
        "caption-not-utf8",
        "A text file, such as a caption or a config, is not UTF-8.",
        (Step("Save the file as UTF-8; the last lines of the log may name it."),),
        (error("UnicodeDecodeError", "'utf-8' codec can't decode"),),
    ),
    Cause(
        "caption-empty",
        "A caption file is empty: {path}.",
        (Step("Write a caption into it, or remove the file."),),
        (error("AssertionError", r"caption file is empty / [^\n:]*: (?P<path>[^\n]*)"),),
    ),
    Cause(
        "cache-and-augmentation",
        "Latents cannot be cached together with color_aug or random_crop.",
        (Step("Leave out cache_latents, or color_aug and random_crop, also in the dataset config."),),
        (error("AssertionError", "when caching latents, either color_aug or random_crop cannot be used"),),
    ),
    Cause(
        "state-missing",
        "The state to resume from, {path}, is not there.",
        (Step("Give resume the folder of a state: its name ends with -state."),),
        (error("ValueError", r"Tried to find (?P<path>[^\n]*) but folder does not exist"),),
    ),
    Cause(
        "file-missing",
        "A file or folder that the trainer was given is not there: {path}.",
        (
            Step("See whether the path is right, and whether its disk is mounted."),
            Step("Nothing may move or rename files of the dataset while it is trained on."),
        ),
        (
            error("FileNotFoundError", r"(?:\[Errno 2\] )?No such file or directory: [\"']?(?P<path>[^\n\"']*)"),
            error("FileNotFoundError", r"\[WinError [23]\][^\n]*: [\"']?(?P<path>[^\n\"']*)"),
            error("ValueError", r"(?:file not found|no metadata) / [^\n:]*: (?P<path>[^\n]*)"),
        ),
    ),
)
