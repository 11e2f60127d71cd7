"""The script of the call, and what was true in a call that followed the script."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from harness.recording.timeline import Interval

# The participants in the order in which they join. The last one joins while the recording is in progress.
NAMES: Final = ("alice", "bob", "carol")
# Alice and Bob receive everybody's media. The recorders that run in a participant's page run in Alice's.
RECORDING, MUTED, LATE = NAMES
# The network of the late participant during the dip.
DIP: Final[dict[str, float]] = {"loss_percent": 8.0, "latency_ms": 120.0, "kbps": 250.0}


def length(interval: Interval) -> float:
    """Return the duration of an interval in seconds."""
    return interval[1] - interval[0]


@dataclass(frozen=True, kw_only=True)
class Script:
    """What happens in the call; all times are in seconds after the script began.

    ``joins`` is the time at which Carol joins, Bob's microphone is off during ``muted``, and Carol's network is poor
    during ``dip``.
    """

    name: str
    seconds: float
    joins: float
    muted: Interval
    dip: Interval


# The full call is long enough to measure the drift, for which `verify` needs more than a minute.
FULL: Final = Script(name="full", seconds=72.0, joins=5.0, muted=(18.0, 26.0), dip=(38.0, 44.0))
QUICK: Final = Script(name="quick", seconds=24.0, joins=3.0, muted=(9.0, 13.0), dip=(16.0, 19.0))
SCRIPTS: Final = {script.name: script for script in (FULL, QUICK)}


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What was true in a call, with times in seconds after the script began.

    ``began_at`` is the Unix time at which the script began. ``markers`` has each participant's marker. ``visible`` and
    ``audible`` have the intervals in which each participant certainly was visible and audible, and ``silent`` those in
    which a participant certainly was not audible. ``dip`` is the interval in which Carol's network was poor.
    """

    began_at: float
    seconds: float
    markers: dict[str, int]
    visible: dict[str, list[Interval]]
    audible: dict[str, list[Interval]]
    silent: dict[str, list[Interval]]
    dip: Interval | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the truth as data that can be converted to JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Truth:
        """Return the truth that ``as_json`` converted."""
        named = {
            key: {name: [(first, last) for first, last in found] for name, found in values[key].items()}
            for key in ("visible", "audible", "silent")
        }
        dip = values["dip"]
        return cls(**{**values, **named, "dip": (dip[0], dip[1]) if dip else None})
