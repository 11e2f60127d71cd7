"""WebRTC's statistics, which lie beside a recording: how picture and sound travelled to whoever recorded."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.recording.timeline import Moment, Name
from harness.verification.measures.curves import thinned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.verification.values.curves import Curve

# A line of a connection holds some 2 kB; a longer one is none of ours.
_LONGEST_LINE: Final = 1_000_000
# In bytes; twelve people are 90 MB in an hour.
_LARGEST_FILE: Final = 1_000_000_000
# Nothing that WebRTC counts comes near; what is beyond is none of its numbers.
_LARGEST: Final = 1e15
# A room's synthetic participants are fewer.
_MOST_PEOPLE: Final = 256
# It is asked once a second.
_SHORTEST_RUN: Final = 0.001

Series = defaultdict[str, dict[str, list[tuple[float, float]]]]


class Line(BaseModel):
    """What WebRTC said at ``at`` seconds of the file of the connection to ``participant``, by the W3C's names."""

    model_config = ConfigDict(frozen=True)

    at: Moment
    participant: Name
    report: tuple[dict[str, Any], ...]

    def sum(self, kind: str, name: str) -> float | None:
        """Return a counter, added up over the streams of a kind; None where none of them has it."""
        values = (one.get(name) for one in self.report if one.get("type") == kind)
        found = [value for value in values if isinstance(value, int | float) and abs(value) <= _LARGEST]
        return float(sum(found)) if found else None


def read_statistics(path: Path) -> Iterator[Line]:
    """Yield the lines at ``path`` that can be read; none where there is no file, or one that has no end."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            return
        with path.open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                try:
                    yield Line.model_validate_json(line)
                except ValidationError:
                    continue
    except OSError:
        return


def travelled(path: Path) -> dict[str, Mapping[str, Curve]]:
    """Return, by what it is, curves of each participant's connection: ``bitrate``, ``lost`` and ``round_trip``.

    ``bitrate`` is what arrived in kbps, ``lost`` the packets a second that did not, ``round_trip`` in ms.
    """
    counters: Series = defaultdict(dict)
    direct: Series = defaultdict(dict)
    people: set[str] = set()
    for line in read_statistics(path):
        if line.participant not in people and len(people) >= _MOST_PEOPLE:
            continue
        people.add(line.participant)
        for name, kind, counter in (
            ("bitrate", "inbound-rtp", "bytesReceived"),
            ("lost", "inbound-rtp", "packetsLost"),
        ):
            if (value := line.sum(kind, counter)) is not None:
                counters[name].setdefault(line.participant, []).append((line.at, value))
        if (value := line.sum("candidate-pair", "currentRoundTripTime")) is not None:
            direct["round_trip"].setdefault(line.participant, []).append((line.at, value * 1000))
    scale = {"bitrate": 8 / 1000, "lost": 1.0}
    rates = {
        name: {who: rate for who, points in counted.items() if (rate := _rate(points, scale[name])).times}
        for name, counted in counters.items()
    }
    values = {
        name: {who: thinned(*np.array(points).T) for who, points in said.items()} for name, said in direct.items()
    }
    return {name: curves for name, curves in (rates | values).items() if curves}


def _rate(points: list[tuple[float, float]], scale: float) -> Curve:
    """Return how fast a counter grows, a second; where it begins anew, as after a reconnect, nothing is said."""
    times, values = np.array(points).reshape(-1, 2).T
    run, rise = np.diff(times), np.diff(values)
    good = (run >= _SHORTEST_RUN) & (rise >= 0)
    return thinned(times[1:][good], rise[good] / run[good] * scale)
