"""Read the WebRTC statistics of a recording, which show how well the recording participant received media."""

from __future__ import annotations

import codecs
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

# Maximum length of a line in bytes; the harness writes lines of about 2 kB.
_LONGEST_LINE: Final = 1_000_000
# Maximum size of the statistics in bytes; a recording of twelve participants produces 90 MB per hour.
_LARGEST_FILE: Final = 1_000_000_000
# Largest number accepted in the statistics; WebRTC's numbers are far smaller.
_LARGEST_NUMBER: Final = 1e15
# Maximum number of participants whose curves are plotted; no room has this many synthetic participants.
_MOST_PARTICIPANTS: Final = 256
# Minimum time between two records, in seconds; statistics are collected once per second.
_SHORTEST_STEP: Final = 0.001

Series = defaultdict[str, dict[str, list[tuple[float, float]]]]


class StatisticsRecord(BaseModel):
    """The WebRTC statistics of the connection to one participant, at one point in time."""

    model_config = ConfigDict(frozen=True)

    at: Moment
    """Time in the recording, in seconds."""
    participant: Name
    """Name of the participant at the other end of the connection."""
    report: tuple[dict[str, Any], ...]
    """Statistics about video and audio, with the W3C's names."""

    def sum(self, kind: str, name: str) -> float | None:
        """Return the sum of a counter over all statistics of one type, or None if none of them has this counter."""
        values = (one.get(name) for one in self.report if one.get("type") == kind)
        found = [value for value in values if isinstance(value, int | float) and abs(value) <= _LARGEST_NUMBER]
        return float(sum(found)) if found else None


def read_statistics(path: Path) -> Iterator[StatisticsRecord]:
    """Yield the valid records in the file at ``path``, or nothing if the file does not exist or is too large."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            return
        with path.open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                try:
                    # An editor may have saved the file with a byte order mark.
                    yield StatisticsRecord.model_validate_json(line.removeprefix(codecs.BOM_UTF8))
                except ValidationError:
                    continue
    except OSError:
        return


def connection_curves(path: Path) -> dict[str, Mapping[str, Curve]]:
    """Return a curve for each connection and each of three measurements: ``bitrate``, ``lost`` and ``round_trip``.

    ``bitrate`` is the received bitrate in kbps, ``lost`` is the number of lost packets per second, and ``round_trip``
    is the round-trip time in ms.
    """
    counters: Series = defaultdict(dict)
    direct: Series = defaultdict(dict)
    participants: set[str] = set()
    for record in read_statistics(path):
        if record.participant not in participants and len(participants) >= _MOST_PARTICIPANTS:
            continue
        participants.add(record.participant)
        for name, kind, counter in (
            ("bitrate", "inbound-rtp", "bytesReceived"),
            ("lost", "inbound-rtp", "packetsLost"),
        ):
            if (value := record.sum(kind, counter)) is not None:
                counters[name].setdefault(record.participant, []).append((record.at, value))
        if (value := record.sum("candidate-pair", "currentRoundTripTime")) is not None:
            direct["round_trip"].setdefault(record.participant, []).append((record.at, value * 1000))
    scale = {"bitrate": 8 / 1000, "lost": 1.0}
    rates = {
        name: {one: rate for one, points in counted.items() if (rate := _rate(points, scale[name])).times}
        for name, counted in counters.items()
    }
    values = {
        name: {one: thinned(*np.array(points).T) for one, points in measured.items()}
        for name, measured in direct.items()
    }
    return {name: curves for name, curves in (rates | values).items() if curves}


def _rate(points: list[tuple[float, float]], scale: float) -> Curve:
    """Return a counter's growth per second.

    Intervals in which the counter restarts, for example because of a reconnect, are left out.
    """
    times, values = np.array(points).reshape(-1, 2).T
    run, rise = np.diff(times), np.diff(values)
    good = (run >= _SHORTEST_STEP) & (rise >= 0)
    return thinned(times[1:][good], rise[good] / run[good] * scale)
