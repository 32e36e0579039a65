"""What stands where a file is meant, and is none."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path is short
        opened.bind(path.name)
        os.chdir(here)
