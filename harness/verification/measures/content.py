"""Measure the faults in the video below a participant's strip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.content import SAMPLED_EVERY, Fault
from harness.verification.values.intervals import longer, rounded, spans
from harness.verification.values.models import VideoContent

if TYPE_CHECKING:
    from harness.recording.timeline import Interval
    from harness.verification.markers.content import ContentTrack

# A fault counts as continuous even if up to two samples in between do not show it, for example because a frozen face is
# in the right place by chance.
_BRIDGE: Final = 0.25
# A fault in one or two samples can result from a single damaged frame.
_SHORTEST: Final = 0.2


def video_content(track: ContentTrack, *, period: float) -> VideoContent:
    """Return the intervals of each fault; ``period`` is the frame duration in seconds."""
    lasting = max(SAMPLED_EVERY, period)

    def intervals(fault: Fault) -> tuple[Interval, ...]:
        faulty = (track.faults & fault) != 0
        # At low bitrates, a codec sometimes omits the face in one frame, but a fault affects several samples in a row.
        beside = np.append(faulty[1:], False) | np.append(False, faulty[:-1])
        times = track.times[faulty & beside]
        return rounded(longer(spans(times.tolist(), lasting=lasting, bridge=_BRIDGE), _SHORTEST))

    return VideoContent(
        samples=track.times.size,
        colors_known=track.colors_known == track.times.size > 0,
        black=intervals(Fault.BLACK),
        wrong_colors=intervals(Fault.COLOR),
        frozen=intervals(Fault.STILL),
        wrong_video=intervals(Fault.OTHER),
        symbols=track.symbols,
        wrong_symbol=intervals(Fault.SYMBOL),
    )
