"""What a file did over time, thinned to what a plot can show: level, gaps, each participant's offset and delay."""

from __future__ import annotations

import base64
from collections.abc import Mapping  # noqa: TC003 (pydantic reads it at run time)
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator

from harness.recording.manifest import Manifest  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.limits import Limits  # noqa: TC001 (pydantic reads it at run time)

if TYPE_CHECKING:
    from harness.verification.markers.audio_markers import Hearing
    from harness.verification.measures.evidence import Evidence

# A plot is some 1,000 pixels wide; more points than half of that show nothing more.
_POINTS: Final = 500
_QUIETEST: Final = -60.0


def _packed(numbers: NDArray[np.float64]) -> str:
    return base64.b64encode(numbers.astype(np.float64).tobytes()).decode("ascii")


def _unpacked(text: Any) -> NDArray[np.float64]:
    if not isinstance(text, str):
        message = "numbers are packed into a string"
        raise ValueError(message)  # noqa: TRY004 (pydantic takes this for a value that is wrong)
    return np.frombuffer(base64.b64decode(text, validate=True), np.float64)


# In JSON they are the base64 of their bytes: exact, and as quick as it gets.
Numbers = Annotated[NDArray[np.float64], PlainValidator(_unpacked), PlainSerializer(_packed)]


@dataclass(frozen=True, eq=False)
class Curve:
    """Values over time: ``times`` in seconds of the file, rising, as many as ``values``."""

    times: Numbers
    values: Numbers

    def __post_init__(self) -> None:
        if self.times.shape != self.values.shape:
            message = f"{self.times.size} times and {self.values.size} values are no curve"
            raise ValueError(message)


@dataclass(frozen=True, eq=False, kw_only=True)
class Curves:
    """The plots of one file, and the limits by which it was judged.

    ``level`` is the whole mix in dB of full scale, ``gaps`` the ms from each picture to the next; ``offsets`` (audio
    minus video) and ``delays`` (capture to file) are in ms, by participant. ``travelled`` is what WebRTC reported about
    the connections (``connections.travelled``).
    """

    manifest: Manifest | None
    limits: Limits
    duration: float
    rate: float | None
    level: Curve
    gaps: Curve
    offsets: Mapping[str, Curve] = field(default_factory=dict)
    delays: Mapping[str, Curve] = field(default_factory=dict)
    travelled: Mapping[str, Mapping[str, Curve]] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Return true: reports are compared by what they say, and these are the same measurements, drawn."""
        return isinstance(other, Curves)

    __hash__ = object.__hash__


def curves_of(evidence: Evidence, hearing: Hearing | None, limits: Limits) -> Curves:
    """Return the curves of a file; of many values the most telling stay."""
    picture = evidence.streams.picture
    times = picture.times if picture else np.zeros(0)
    return Curves(
        manifest=evidence.manifest,
        limits=limits,
        duration=evidence.media.duration,
        rate=evidence.rate,
        level=_level(hearing),
        gaps=thinned(times[:-1], np.diff(times) * 1000, largest=True),
        offsets={
            person.name: thinned(person.offsets[:, 0], person.offsets[:, 1] * 1000)
            for person in evidence.people
            if len(person.offsets)
        },
        delays={person.name: person.delays for person in evidence.people if person.delays.times.size},
    )


def _level(hearing: Hearing | None) -> Curve:
    if hearing is None or not hearing.levels.size:
        return Curve(np.zeros(0), np.zeros(0))
    decibels = 20 * np.log10(np.maximum(hearing.levels.astype(np.float64), 10 ** (_QUIETEST / 20)))
    return thinned(hearing.steps[:, 0], decibels, largest=True)


def thinned(times: NDArray[np.float64], values: NDArray[np.float64], *, largest: bool = False) -> Curve:
    """Return at most 500 points: of each stretch the median, or what stands out most."""
    if times.size <= _POINTS:
        return Curve(times, values)
    edges = np.linspace(0, times.size, _POINTS + 1).astype(int)
    pick = np.max if largest else np.median
    pairs = [(times[start], pick(values[start:end])) for start, end in pairwise(edges)]
    thinned = np.array(pairs)
    return Curve(thinned[:, 0], thinned[:, 1])
