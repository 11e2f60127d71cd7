"""Create the plots on a report's page. Each curve in a plot is an SVG polyline."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.verification.values.curves import Curve, Curves

# Width of a plot in plot units, which are scaled to the page's width. Heights are in pixels.
WIDTH: Final = 1000
_HEIGHT: Final = 120
_MOST_TICKS: Final = 10
_LAST_TICK: Final = 0.97
_NICE: Final = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_HOUR: Final = 3600

# The plots of WebRTC's statistics: measure, title, unit, note and minimum range.
_CONNECTION_PLOTS: Final = (
    ("bitrate", "Received over WebRTC", "kbps", "video and audio", 500.0),
    ("lost", "Lost packets", "per second", "WebRTC asks the sender to retransmit most lost packets", 10.0),
    ("round_trip", "Round-trip time", "ms", "", 10.0),
)


@dataclass(frozen=True)
class Line:
    """A curve, as the points of an SVG polyline."""

    name: str
    colour: int
    points: str


@dataclass(frozen=True)
class Plot:
    """A plot whose horizontal axis is the time in the file.

    ``marks`` holds (height, label) for each horizontal line.
    """

    title: str
    unit: str
    note: str
    lines: tuple[Line, ...]
    marks: tuple[tuple[float, str], ...]
    height: int = _HEIGHT


def plots(curves: Curves, names: Mapping[str, int]) -> Iterable[Plot]:
    """Yield the plots for which the file has data."""

    def plot(title: str, unit: str, note: str, values: Mapping[str, Curve], reach: tuple[float, float]) -> Plot:
        return Plot(title, unit, note, _lines(values, names, reach, curves.duration), _marks(reach))

    if curves.level.times:
        yield plot("Audio level", "dBFS", "the whole mix", {"mix": curves.level}, (-60.0, 0.0))
    if curves.offsets:
        reach = _reach(curves.offsets.values(), least=50.0)
        early, late = curves.limits.audio_early_ms, curves.limits.audio_late_ms
        allowed = f"audio minus video; limits: {-early:g} and {late:g} ms"
        yield plot("A/V offset", "ms", allowed, curves.offsets, (-reach, reach))
    if curves.delays:
        most = _reach(curves.delays.values(), least=100.0)
        yield plot("Delay from capture to file", "ms", "", curves.delays, (0.0, most))
    for key, title, unit, note, least in _CONNECTION_PLOTS:
        if found := curves.connections.get(key):
            yield plot(title, unit, note, found, (0.0, _reach(found.values(), least=least)))
    if curves.gaps.times and curves.rate:
        most = max(100.0, max(curves.gaps.values) * 1.1)
        yield plot(
            "Time between frames",
            "ms",
            f"nominal: {1000 / curves.rate:.1f} ms",
            {"gap": curves.gaps},
            (0.0, most),
        )


def _lines(
    curves: Mapping[str, Curve], names: Mapping[str, int], reach: tuple[float, float], duration: float
) -> tuple[Line, ...]:
    return tuple(Line(name, names.get(name, -1), _points(curve, reach, duration)) for name, curve in curves.items())


def _marks(reach: tuple[float, float]) -> tuple[tuple[float, str], ...]:
    low, high = reach
    return tuple((_y(value, reach), f"{value:.0f}") for value in (low, (low + high) / 2, high))


def _points(curve: Curve, reach: tuple[float, float], duration: float) -> str:
    return " ".join(
        f"{plot_x(at, duration):.1f},{_y(value, reach):.1f}"
        for at, value in zip(curve.times, curve.values, strict=True)
    )


def _reach(curves: Iterable[Curve], *, least: float) -> float:
    """Return the upper end of a plot's vertical axis. At least 99 % of each curve's values are within the plot."""
    furthest = max(_percentile_99([abs(value) for value in curve.values]) for curve in curves)
    return max(least, 10 * math.ceil(furthest * 1.2 / 10))


def _percentile_99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[-1] if len(values) > 1 else values[0]


def plot_x(at: float, duration: float) -> float:
    """Return the horizontal position of a time, in plot units."""
    return round(min(max(at / duration, 0.0), 1.0) * WIDTH, 2) if duration else 0.0


def _y(value: float, reach: tuple[float, float]) -> float:
    low, high = reach
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return (1 - share) * (_HEIGHT - 8) + 4


def ticks(duration: float) -> list[float]:
    """Return the times at which the time axis has labels: at most ten round numbers."""
    step = next((step for step in _NICE if duration / step <= _MOST_TICKS), _HOUR * math.ceil(duration / _HOUR / 10))
    # Omit a label at the end, because it would be cut off.
    times = (number * step for number in range(math.ceil(duration / step)))
    return [at for at in times if at <= _LAST_TICK * duration]
