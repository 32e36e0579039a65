"""Ports of this machine that the processes of one training find each other by."""

from __future__ import annotations

import errno


def free_port() -> int:
    """A port that nothing listens on now."""
    import socket  # noqa: PLC0415 - one process needs no port

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def is_taken(port: int) -> bool:
    """Whether something listens on a port. False for a number that is none."""
    import socket  # noqa: PLC0415 - as above

    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as opened:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(("127.0.0.1", port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    except OverflowError:
        return False
    return False
