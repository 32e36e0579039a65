"""The text of one function, and where modules are found."""

from __future__ import annotations

from pathlib import Path

from launcher.trainer.packages import ModuleFile, Packages
from launcher.trainer.source_text import Evidence, SourceText

SOURCE = """
import os

def verify(
    args,
) -> None:
    if args.a and \\
            args.b:
        raise ValueError("both")
    # a comment at depth

    return None

class Trainer:
    def assert_extra(self, args):
        assert args.c

    def other(self):
        args.d
"""


def _says(root: Path, function: str, *patterns: str) -> bool:
    return SourceText(root).says(Evidence("library/train_util.py", function, patterns))


def test_a_rule_looks_into_one_function(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library/train_util.py").write_text(SOURCE)
    assert _says(tmp_path, "verify", r"args\.a and", r"raise ValueError\(.both.\)", "return None")
    assert not _says(tmp_path, "verify", r"args\.c")
    assert _says(tmp_path, "assert_extra", r"assert args\.c")
    assert not _says(tmp_path, "assert_extra", r"args\.d")
    assert _says(tmp_path, "Trainer", r"args\.c", r"args\.d")
    assert _says(tmp_path, "", r"args\.a", r"args\.d")
    assert not _says(tmp_path, "missing", "")


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert not _says(tmp_path, "", "")


def test_modules_are_found_in_the_order_of_the_interpreter(tmp_path: Path) -> None:
    checkout, site, other = tmp_path / "checkout", tmp_path / "site", tmp_path / "other"
    for file in (
        checkout / "networks/lora.py", site / "networks/lora.py", site / "lycoris/kohya.py", other / "editable.py",
        tmp_path / "mapped/__init__.py", site / "lycoris_lora-4.1.3.dist-info/METADATA", site / "fast.cpython-310.so",
    ):  # fmt: skip
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (site / "other.pth").write_text(f"import os\n{other}\n")
    (site / "__editable___mapped_1_0_finder.py").write_text(
        f"from x import y\nMAPPING: dict[str, str] = {{'mapped': {str(tmp_path / 'mapped')!r}}}\n"
    )
    packages = Packages(checkout, (site,))
    assert packages.find("networks.lora") == ModuleFile(checkout, "networks/lora.py")
    assert packages.find("lycoris.kohya") == ModuleFile(site, "lycoris/kohya.py")
    assert packages.find("lycoris") == ModuleFile(site, None)
    assert packages.find("editable") == ModuleFile(site / other, "editable.py")
    assert packages.find("mapped") == ModuleFile(tmp_path, "mapped/__init__.py")
    assert packages.find("fast") == ModuleFile(site, None)
    assert packages.find("missing") is None
    assert packages.find("../lycoris") is None
    assert packages.version("LyCORIS_lora") == "4.1.3"
    assert packages.version("torch") is None
    assert packages.known
    assert not Packages(checkout, ()).known
