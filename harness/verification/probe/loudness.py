"""Measure the perceived loudness of audio (EBU R 128, ITU-R BS.1770) with FFmpeg's ebur128 filter."""

from __future__ import annotations

import math
from typing import Final

import av
import av.error
import av.filter

# Audio below this loudness, in LUFS, counts as silent. BS.1770 ignores such audio, and the filter reports -70 LUFS for
# silence.
_SILENCE: Final = -69.0


class LoudnessMeter:
    """Measures the integrated loudness of audio, frame by frame and in constant memory."""

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._format: tuple[str, str, int] | None = None
        self._loudness: float | None = None

    def push(self, frame: av.AudioFrame) -> None:
        """Measure the next frame. Frames whose sample format differs from the first frame's are ignored."""
        sample_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._graph is None:
            self._graph, self._format = _graph(frame), sample_format
        if sample_format != self._format:
            return
        try:
            self._graph.push(frame)
            self._pull(self._graph)
        except (av.error.FFmpegError, ValueError):
            # Even if a gap in the timestamps causes an error, the frames after the gap must be measured.
            return

    def loudness(self) -> float | None:
        """Return the integrated loudness in LUFS, or None for silence or less than 0.4 s of audio."""
        if self._loudness is None or not _SILENCE <= self._loudness < math.inf:
            return None
        return round(self._loudness, 1)

    def _pull(self, graph: av.filter.Graph) -> None:
        while True:
            try:
                measured = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            loudness = measured.metadata.get("lavfi.r128.I")
            if loudness is not None:
                self._loudness = float(loudness)


def _graph(frame: av.AudioFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        format=frame.format.name,
        sample_rate=frame.sample_rate,
        layout=frame.layout.name,
        time_base=frame.time_base,
    )
    meter = graph.add("ebur128", "metadata=1")
    source.link_to(meter)
    meter.link_to(graph.add("abuffersink"))
    graph.configure()
    return graph
