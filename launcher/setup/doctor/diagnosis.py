"""What the doctor has to say about one subject."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """How a subject is: as it should be, good enough, in the way of training, or not to be told."""

    FINE = "fine"
    ADVICE = "advice"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Diagnosis:
    """One thing about a subject. `mend` is the command line, for a POSIX shell, after which it is fine."""

    subject: str
    status: Status
    message: str
    mend: str | None = None


def fine(subject: str, message: str) -> Diagnosis:
    """It is as it should be."""
    return Diagnosis(subject, Status.FINE, message)


def advice(subject: str, message: str, mend: str | None = None) -> Diagnosis:
    """Training goes on with it, but it could be better."""
    return Diagnosis(subject, Status.ADVICE, message, mend)


def wrong(subject: str, message: str, mend: str | None = None) -> Diagnosis:
    """It stops a training, or what is known of it."""
    return Diagnosis(subject, Status.WRONG, message, mend)


def unknown(subject: str, message: str) -> Diagnosis:
    """It cannot be told."""
    return Diagnosis(subject, Status.UNKNOWN, message)
