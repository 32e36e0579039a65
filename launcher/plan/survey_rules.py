"""What differs between releases of sd-scripts in how they read pictures, found in the checkout at hand."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from launcher.data.folders import PICTURE_EXTENSIONS
from launcher.plan.checks.candidate import Candidate
from launcher.trainer.packages import Packages
from launcher.trainer.source_text import Evidence

TRAIN_UTIL = "library/train_util.py"
# Each begins with a line's end, which is found ten times as fast as its beginning (^).
_LIST = re.compile(r"\nIMAGE_EXTENSIONS *= *(\[[^\]]*\])")
_WITH_PLUGIN = re.compile(r"\ntry:\n((?:[ \t]+.*\n|\n)+?)[ \t]+IMAGE_EXTENSIONS\.extend\((\[[^\]]*\])\)")
_IMPORT = re.compile(r"^[ \t]+(?:import|from) +([\w.]+)", re.MULTILINE)

_USES_IMAGESIZE = Evidence(TRAIN_UTIL, "get_image_size", (r"imagesize\.get\(",))
_IN_STEPS = Evidence("library/model_util.py", "make_bucket_resolutions", (r"max_width // divisible",))
_WHOLE_STEPS = Evidence(TRAIN_UTIL, "adjust_min_max_bucket_reso_by_steps", ())
_TRAIN_RESOLUTION = Evidence(TRAIN_UTIL, "FineTuningDataset", (r"[\"']train_resolution[\"']",))


@dataclass(frozen=True)
class SurveyRules:
    """How the checkout reads pictures; the defaults are those of v0.10.1 with imagesize 1.4.1.

    `extensions` are those of pictures; `perhaps` those of which it is not known whether their plugin is installed.
    `webp_one_less`: imagesize before 1.5.0 takes one pixel too few of each side of an extended WebP.
    `in_steps` and `whole_steps` are those of `BucketRules`. `train_resolution`: metadata of fine tuning state the
    bucket, and keys may lack the extension, as before v0.10.0.
    """

    extensions: tuple[str, ...] = PICTURE_EXTENSIONS
    perhaps: tuple[str, ...] = ()
    webp_one_less: bool = True
    in_steps: bool = False
    whole_steps: bool = True
    train_resolution: bool = False


def survey_rules(candidate: Candidate) -> SurveyRules:
    """The rules of the candidate's checkout and environment."""
    source, packages = candidate.source, candidate.packages
    extensions, perhaps = picture_extensions(source.text(TRAIN_UTIL), packages)
    return SurveyRules(
        extensions,
        perhaps,
        webp_one_less=source.says(_USES_IMAGESIZE) and _is_old_imagesize(packages),
        in_steps=source.says(_IN_STEPS),
        whole_steps=source.says(_WHOLE_STEPS),
        train_resolution=source.says(_TRAIN_RESOLUTION),
    )


def _is_old_imagesize(packages: Packages) -> bool:
    version = packages.version("imagesize")
    numbers = [int(part) for part in re.findall(r"\d+", version or "1.4.1")[:2]]
    return numbers < [1, 5]


def picture_extensions(text: str, packages: Packages) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The extensions of pictures that train_util.py lists, and those that it may."""
    text = f"\n{text}"
    found = _LIST.search(text)
    sure = _texts(found[1]) if found else PICTURE_EXTENSIONS
    perhaps: tuple[str, ...] = ()
    for block in _WITH_PLUGIN.finditer(text):
        modules = [name.partition(".")[0] for name in _IMPORT.findall(block[1])]
        if all(packages.find(name) for name in modules):
            sure += _texts(block[2])
        elif not packages.known:
            perhaps += _texts(block[2])
    return tuple(dict.fromkeys(sure)), tuple(dict.fromkeys(perhaps))


def _texts(source: str) -> tuple[str, ...]:
    try:
        return tuple(str(each) for each in ast.literal_eval(source))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
