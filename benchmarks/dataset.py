#!/usr/bin/env python3
"""10,000 pictures with captions: sizes, captions and buckets, as `kl check` and `kl dataset` need them.

    python benchmarks/dataset.py

Budget: 3 s cold. Cold means that kl has never looked at the folder, and that the disk's cache holds none of its files
(as far as the system lets go of them); warm means that it has looked and nothing has changed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import struct
import sys
import tempfile
import time
import zlib
from pathlib import Path

from timing import run, show, take_turns

SURVEY = """
import sys
from launcher.plan.blueprint import Blueprint, DatasetBlueprint, Kind, SubsetBlueprint
from launcher.plan.survey import survey
params = {"image_dir": sys.argv[1], "num_repeats": 1, "caption_extension": ".txt"}
dataset = {"resolution": (1024, 1024), "batch_size": 4, "enable_bucket": True, "max_bucket_reso": 2048}
made = DatasetBlueprint(Kind.DREAMBOOTH, dataset, (SubsetBlueprint(params, None),), None)
found = survey(Blueprint((made,)))
assert found.images == int(sys.argv[2]), found.images
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.home()) as name:
        folder, home = Path(name) / "img", Path(name) / "home"
        make_pictures(folder, given.pictures)
        environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        command = [sys.executable, "-c", SURVEY, str(folder), str(given.pictures)]
        nothing = [sys.executable, "-c", "import launcher.plan.survey"]

        def forget() -> None:
            shutil.rmtree(home, ignore_errors=True)

        def cold() -> float:
            forget()
            _out_of_memory(folder)
            return run(command, env=environment)

        def new() -> float:
            forget()
            return run(command, env=environment)

        def warm() -> float:
            return run(command, env=environment)

        actions = {"imports alone": lambda: run(nothing, env=environment), "cold": cold, "new to kl": new, "warm": warm}
        time.sleep(2.1)  # files newer than this are not remembered
        take_turns(actions, 1)
        show(take_turns(actions, given.rounds), "imports alone")


def make_pictures(folder: Path, number: int) -> None:
    """Pictures of a few KB, with the sizes of real ones in their headers."""
    folder.mkdir(parents=True)
    chance = random.Random(1)  # noqa: S311 - no secret
    for each in range(number):
        header = struct.pack(">IIBBBBB", chance.randint(600, 3000), chance.randint(600, 3000), 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", chance.randbytes(6000)), (b"IEND", b""))
        content = b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
        (folder / f"{each:05}.png").write_bytes(content)
        tags = ", ".join(f"tag{chance.randint(1, 400)}" for _ in range(25))
        (folder / f"{each:05}.txt").write_text(f"fox, {tags}\n", encoding="utf-8")


def _out_of_memory(folder: Path) -> None:
    """Ask the system to forget what it holds of these files."""
    if not hasattr(os, "posix_fadvise"):
        return
    os.sync()
    for path in folder.iterdir():
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


if __name__ == "__main__":
    main()
