"""The recorders of the league, in the order in which the page lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.league.recorders.attached import AttachedRecorder
from benchmarks.league.recorders.in_page import NertcRecorder, RecordRtcRecorder
from benchmarks.league.recorders.janus import JanusRecorder
from benchmarks.league.recorders.playwright_video import PlaywrightRecorder
from benchmarks.league.recorders.recorder import NoRecorder, RecordedFile, Recorder
from benchmarks.league.recorders.room import RoomRecorder
from benchmarks.league.recorders.screen import ScreenRecorder

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORDERS: Final[Mapping[str, type[Recorder]]] = {
    recorder.key: recorder
    for recorder in (
        RoomRecorder,
        AttachedRecorder,
        NertcRecorder,
        RecordRtcRecorder,
        JanusRecorder,
        ScreenRecorder,
        PlaywrightRecorder,
    )
}
BASELINE: Final = NoRecorder.key
ALL: Final[Mapping[str, type[Recorder]]] = {**RECORDERS, BASELINE: NoRecorder}

__all__ = ["ALL", "BASELINE", "RECORDERS", "RecordedFile", "Recorder"]
