"""What the detectors of one file observed: the input of all measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.verification.markers.audio_markers import Hearing
    from harness.verification.markers.marker_reader import Sightings


@dataclass(frozen=True, kw_only=True)
class Tape:
    """What the watchers of one file found.

    ``hearing`` is None without sound, ``rate`` is in pictures a second and ``zero_ms`` the room's time at the file's
    zero, where a manifest tells it; ``cuts`` are the pauses: where in the file and how long, in seconds.
    """

    sightings: dict[int, Sightings]
    hearing: Hearing | None
    rate: float | None
    duration: float
    zero_ms: float | None = None
    cuts: Sequence[tuple[float, float]] = ()
