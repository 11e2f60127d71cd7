"""How loud a file's sound is as people hear it (EBU R 128, ITU-R BS.1770), measured by FFmpeg's ebur128."""

from __future__ import annotations

import math
from typing import Final

import av
import av.error
import av.filter

# What the gate of BS.1770 leaves out entirely; the filter says this of silence.
_NOTHING: Final = -69.0


class LoudnessMeter:
    """Measures integrated loudness while sound passes, in constant memory."""

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._form: tuple[str, str, int] | None = None
        self._loudness: float | None = None

    def take(self, frame: av.AudioFrame) -> None:
        """Take the next piece of sound; where its form changes, what comes later is not measured."""
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._graph is None:
            self._graph, self._form = _graph(frame), form
        if form != self._form:
            return
        try:
            self._graph.push(frame)
            self._pull(self._graph)
        except (av.error.FFmpegError, ValueError):
            # A hole in the times is no reason to stop measuring what comes after it.
            return

    def loudness(self) -> float | None:
        """Return the integrated loudness in LUFS; None of silence, and of less than 0.4 s."""
        if self._loudness is None or not _NOTHING <= self._loudness < math.inf:
            return None
        return round(self._loudness, 1)

    def _pull(self, graph: av.filter.Graph) -> None:
        while True:
            try:
                measured = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            told = measured.metadata.get("lavfi.r128.I")
            if told is not None:
                self._loudness = float(told)


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
