"""Define Finding (one result of a check), Examined (what the check examined), and helpers for the texts of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import Field, model_validator

from harness.recording.timeline import Interval, Words  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.models import ReportModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

CheckName = Literal[
    "container",
    "timeline",
    "size",
    "frame-rate",
    "gap",
    "black",
    "silent",
    "clipping",
    "noise",
    "channels",
    "alignment",
    "presence",
    "call",
    "start-up",
    "frozen",
    "content",
    "shape",
    "repeated",
    "av-offset",
    "drift",
    "delay",
    "level",
    "duration",
    "unexpected",
    "hash",
    "complete",
]

# Whether a recording, or a part of it, met the requirements, violated them, or could not be examined.
Result = Literal["passed", "failed", "unverified"]
FindingResult = Literal["passed", "warning", "failed", "unverified"]

# The symbols that show a finding's result in the terminal and on pages.
SIGNS: Final[Mapping[str, str]] = {"passed": "✓", "warning": "!", "failed": "✗", "unverified": "?"}

# Similar findings beyond this number are omitted, except for the last finding, which states how many were omitted.
_MOST_ALIKE: Final = 10


def combined(results: Iterable[Result]) -> Result:
    """Combine results: failed if any is failed or there is none, otherwise unverified if any is, otherwise passed."""
    known = set(results)
    if "failed" in known or not known:
        return "failed"
    return "unverified" if "unverified" in known else "passed"


class Examined(ReportModel):
    """How much a check examined. A check that examined nothing has not passed."""

    frames: int = Field(default=0, ge=0)
    """Number of video frames."""
    seconds: float = Field(default=0.0, ge=0)
    """Duration of the examined video or audio in seconds."""
    participants: int = Field(default=0, ge=0)
    """Number of participants."""
    bytes: int = Field(default=0, ge=0)
    """Number of bytes in the file."""

    def __bool__(self) -> bool:
        """Return whether anything was examined. The number of participants alone does not count."""
        return bool(self.frames or self.seconds or self.bytes)

    def __str__(self) -> str:
        parts = (
            f"{self.frames} frames" if self.frames else "",
            f"{self.seconds:.1f} s" if self.seconds else "",
            f"{self.participants} participant{'s' if self.participants > 1 else ''}" if self.participants else "",
            f"{self.bytes} bytes" if self.bytes else "",
        )
        return ", ".join(part for part in parts if part) or "nothing"


class Finding(ReportModel):
    """One result of a check."""

    check: CheckName
    """Name of the check."""
    result: FindingResult
    """The result. A warning reports a problem that does not make the check fail. ``"unverified"`` means that something
    could not be examined; the message states the reason and the remedy."""
    participant: Words | None = None
    """Name of the participant that the finding is about; None if it is about the whole file."""
    file: Words | None = None
    """Name of the file that the finding is about, if several files were verified together; None if the finding is about
    all of them, or if only one file was verified."""
    at: Interval | None = None
    """Start and end, in seconds, of the part of the file that the finding is about; None if it is about the whole
    file."""
    expected: Words | float | None = None
    """Expected value, for comparison with ``got``; None if the value can't be stated in a few words."""
    got: Words | float | None = None
    """Measured value; None if the value can't be stated in a few words."""
    message: Words
    """Text of the finding."""
    examined: Examined | None = None
    """What the check examined; set for every passed finding."""

    @model_validator(mode="after")
    def _has_examined_something(self) -> Self:
        if self.result == "passed" and not self.examined:
            message = f"the check {self.check} can't pass, because it examined nothing"
            raise ValueError(message)
        return self


def assessed(check: CheckName, result: FindingResult, message: str, examined: Examined, **values: Any) -> Finding:
    """Return a finding with a result; it is unverified instead of passed if the check examined nothing."""
    if result == "passed" and not examined:
        text = "The check examined nothing, because it does not apply to anything in the file."
        return Finding(check=check, result="unverified", message=text, **values)
    return Finding(check=check, result=result, message=message, examined=examined, **values)


def passed(check: CheckName, message: str, examined: Examined, **values: Any) -> Finding:
    """Return a passed finding, or an unverified one if the check examined nothing."""
    return assessed(check, "passed", message, examined, **values)


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
