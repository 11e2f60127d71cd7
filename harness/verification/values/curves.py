"""Define the curves of a report: values measured over the duration of the file, for the plots."""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Mapping  # noqa: TC003 (pydantic reads it at run time)
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from harness.recording.manifest import AnyManifest  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.limits import Limits  # noqa: TC001 (pydantic reads it at run time)


def _packed(numbers: tuple[float, ...]) -> str:
    return base64.b64encode(array("d", numbers).tobytes()).decode("ascii")


def _unpacked(text: Any) -> tuple[float, ...]:
    if not isinstance(text, str):
        message = "the numbers of a curve must be encoded as a string"
        raise ValueError(message)  # noqa: TRY004 (pydantic expects a ValueError for a wrong value)
    numbers = array("d")
    numbers.frombytes(base64.b64decode(text, validate=True))
    if not all(map(math.isfinite, numbers)):
        message = "a curve must contain only finite numbers"
        raise ValueError(message)
    return tuple(numbers)


# In JSON, these numbers are encoded as base64, which is exact and fast. They are not NumPy arrays, so that calling
# ``verify`` does not import NumPy into the caller's process.
Numbers = Annotated[tuple[float, ...], PlainValidator(_unpacked), PlainSerializer(_packed)]


@dataclass(frozen=True, eq=False)
class Curve:
    """Values measured at several times in the file."""

    times: Numbers
    """Times in the file, in seconds and in increasing order."""
    values: Numbers
    """One value for each time."""

    def __post_init__(self) -> None:
        if len(self.times) != len(self.values):
            message = f"a curve must have one value per time, not {len(self.values)} values for {len(self.times)} times"
            raise ValueError(message)


@dataclass(frozen=True, eq=False, kw_only=True)
class Curves:
    """The data of all plots in a report, and the limits that the checks used."""

    manifest: AnyManifest | None
    """Manifest of the recording, or of an observation in file times; None if there is none."""
    limits: Limits
    """Limits of the checks."""
    duration: float
    """Duration of the file in seconds."""
    rate: float | None
    """Expected frame rate in frames per second; None if there is no video."""
    level: Curve
    """Level of the mixed audio in dBFS."""
    gaps: Curve
    """Time from each frame to the next, in milliseconds."""
    offsets: Mapping[str, Curve] = field(default_factory=dict)
    """A/V offset in milliseconds, for each participant."""
    delays: Mapping[str, Curve] = field(default_factory=dict)
    """Time from the capture of a frame until it appears in the file, in milliseconds, for each participant."""
    connections: Mapping[str, Mapping[str, Curve]] = field(default_factory=dict)
    """WebRTC statistics, for each measurement and participant."""

    def __eq__(self, other: object) -> bool:
        """Return True for any Curves, so that comparing two reports compares only the reports' other fields."""
        return isinstance(other, Curves)

    __hash__ = object.__hash__
