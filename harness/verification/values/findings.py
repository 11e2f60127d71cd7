"""Define Finding, which is one result of a check, and helpers for its text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from harness.recording.timeline import Interval, Words  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.models import ReportModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CheckName = Literal[
    "container",
    "size",
    "frame-rate",
    "gap",
    "black",
    "silent",
    "presence",
    "call",
    "frozen",
    "repeated",
    "av-offset",
    "drift",
    "duration",
    "unexpected",
    "hash",
    "complete",
]

# Similar findings beyond this number are omitted, except for the last finding, which states how many were omitted.
_MOST_ALIKE: Final = 10


class Finding(ReportModel):
    """One result of a check."""

    check: CheckName
    """Name of the check."""
    ok: bool
    """Whether this part of the check passed."""
    participant: Words | None = None
    """Name of the participant that the finding is about; None if it is about the whole file."""
    at: Interval | None = None
    """Start and end, in seconds, of the part of the file that the finding is about; None if it is about the whole
    file."""
    expected: Words | float | None = None
    """Expected value, for comparison with ``got``; None if the value can't be stated in a few words."""
    got: Words | float | None = None
    """Measured value; None if the value can't be stated in a few words."""
    message: Words
    """Text of the finding."""
    warning: bool = Field(default=False, exclude=True)
    """Whether the finding is a warning, which does not make the check fail. This field is not part of the JSON."""


def limited(alike: Sequence[Finding]) -> Iterator[Finding]:
    """Yield the first ten of several similar findings, and the last one.

    The message of the last finding states how many findings are omitted.
    """
    yield from alike[:_MOST_ALIKE]
    if len(alike) > _MOST_ALIKE:
        last = alike[-1]
        yield last.model_copy(update={"message": f"{last.message} ({len(alike) - _MOST_ALIKE - 1} more in between)"})


def span(at: Interval) -> str:
    """Return an interval as text."""
    return f"from {at[0]:.2f} to {at[1]:.2f} s"


def milliseconds(at: Interval) -> Interval:
    """Return an interval in seconds, rounded to milliseconds."""
    return (round(at[0], 3), round(at[1], 3))
