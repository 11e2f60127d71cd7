"""``python -m benchmarks``: everything that is promised about speed and cost, measured in one run.

Contestants take turns within each repeat and start from another one each time, so that what the machine does meanwhile
falls on all of them alike; costs are compared pair by pair. Run it on a machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

from benchmarks import suites
from benchmarks.contest import Arena, Form, Run, open_arena
from benchmarks.page import write_page
from benchmarks.results import Bar, machine, middle, ratio, table, write
from harness import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

EVERYBODY: Final = ("floor", "ours", "nertc-shipped", "nertc-webm", "recordrtc")
MAIN: Final = Form()
REMOTE: Final = Form(scene="webrtc")
SMALL: Final = Form(quality="360p", frame_rate=15)
SMALL_REMOTE: Final = Form(scene="webrtc", quality="360p", frame_rate=15)
FEW_ROOMS: Final = 4
MOST_ROOMS: Final = 20
GROWTH: Final = tuple(Form(people=people) for people in (1, 2, 9, 16))


def main() -> int:
    """Measure, print the table, write the results; exit 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the main comparison alone, in under three minutes")
    parser.add_argument("--repeats", type=int, help="how often each contestant records; 9, quick 2")
    parser.add_argument("--seconds", type=float, help="how long it is measured; 6, quick 4")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    repeats = asked.repeats or (2 if asked.quick else 9)
    seconds = asked.seconds or (4 if asked.quick else 6)
    results: dict[str, Any] = {"machine": machine(), "quick": asked.quick}
    with open_arena() as arena:
        runs = mixing(arena, asked.quick, repeats, seconds)
        results["ratios"] = ratios(runs) | ({} if asked.quick else rooms(arena))
    results |= of_the_files(runs)
    results["first_frame_ms"] = first = suites.first_frame(2 if asked.quick else 7)
    tell(f"first frame: {first} ms")
    if not asked.quick:
        results["stop_to_file_ms"] = suites.stop_to_file(3)
        results["verify_times_real_time"] = suites.verifying(20)
        results["memory_mb_per_hour"] = {
            f"{rate / 1e6:g} Mbps": suites.growth(6, bitrate=rate, tell=tell) for rate in (2_500_000, 20_000_000)
        }
    results["runs"] = [run.as_json() for run in runs]
    found = bars(runs, results)
    results["bars"] = [vars(one) for one in found]
    sys.stdout.write("\n".join([*table(found), "", f"{write(results)}", f"{write_page(results)}", ""]))
    return 0 if all(one.met is not False for one in found) else 1


def tell(line: str) -> None:
    """Say on stderr what is going on."""
    sys.stderr.write(f"{line}\n")


def mixing(arena: Arena, quick: bool, repeats: int, seconds: float) -> list[Run]:  # noqa: FBT001
    """Let the contestants record in turns, in every form; a contestant that fails is told of and left out."""
    plan = [(MAIN, ("floor", "ours", "nertc-shipped") if quick else EVERYBODY, repeats)]
    plan += [(REMOTE, ("ours", "nertc-shipped") if quick else EVERYBODY, 1 if quick else repeats)]
    if not quick:
        few = max(1, repeats // 3)
        plan += [(SMALL, EVERYBODY, few), (SMALL_REMOTE, EVERYBODY, few)]
        plan += [(form, ("floor", "ours"), few) for form in GROWTH]
    runs: list[Run] = []
    for form, contestants, times in plan:
        for repeat in range(times):
            shift = repeat % len(contestants)
            for contestant in contestants[shift:] + contestants[:shift]:
                try:
                    run = arena.run(contestant, form, repeat=repeat, seconds=seconds)
                except HarnessError as error:
                    tell(f"{form.label}: {contestant} failed: {error}")
                    continue
                runs.append(run)
                tell(
                    f"{form.label} {repeat + 1}/{times}: {contestant:14} {run.cores:.3f} cores "
                    f"(others {run.foreign:.2f}), {run.frame_rate:.2f}/s, gaps to {run.gap_max:g} ms, "
                    f"repeated {run.repeated} %, {run.psnr} dB, {run.memory:.0f} MB"
                )
    return runs


def rooms(arena: Arena) -> dict[str, float | None]:
    """Return how many rooms of three at 360p15 we record at full rate over how many NERTC's code does."""
    found: dict[str, float | None] = {}
    for suffix, scene in (("", "local"), ("_webrtc", "webrtc")):
        form = Form(scene=scene, people=3, quality="360p", frame_rate=15)
        held = {who: _held(arena, who, form) for who in ("ours", "nertc-shipped")}
        found[f"rooms_over_nertc{suffix}"] = round(held["ours"] / max(1, held["nertc-shipped"]), 2)
    return found


def _held(arena: Arena, contestant: str, form: Form) -> int:
    """Return how many rooms one contestant records side by side at 99 % of the rate or more."""
    held = 0
    while True:
        count = held + (1 if held < FEW_ROOMS else 2)
        rate = arena.lowest_rate(contestant, form, rooms=count, seconds=6)
        tell(f"{count} rooms of {form.label}: {contestant} at {rate:.2f}/s")
        if rate < 0.99 * form.frame_rate or count >= MOST_ROOMS:
            return count if rate >= 0.99 * form.frame_rate else held
        held = count


def ratios(runs: list[Run]) -> dict[str, float | None]:
    """Return the medians of what we cost over each of the others, four people at 720p30."""
    others = {"floor": "floor", "nertc_shipped": "nertc-shipped", "nertc_webm": "nertc-webm", "recordrtc": "recordrtc"}
    found = {}
    for suffix, form in (("", MAIN), ("_webrtc", REMOTE)):
        for name, contestant in others.items():
            if one := ratio(runs, form, contestant):
                found[f"mixer_over_{name}{suffix}"] = one.median
    return found


def of_the_files(runs: list[Run]) -> dict[str, Any]:
    """Return what ``verify`` found in our own files, four people at 720p30."""
    worst: Callable[[Run], float | None] = lambda run: max(run.repeated or 0.0, run.skipped or 0.0)  # noqa: E731
    return {
        "frame_rate": middle(runs, MAIN, "ours", lambda run: run.frame_rate),
        "gap_ms": middle(runs, MAIN, "ours", lambda run: run.gap_max),
        "repeated_percent": {
            "local": middle(runs, MAIN, "ours", worst),
            "webrtc": middle(runs, REMOTE, "ours", worst),
        },
    }


def bars(runs: list[Run], results: dict[str, Any]) -> list[Bar]:
    """Return every promise with what was measured of it."""
    found: list[Bar] = []

    def compare(what: str, form: Form, over: str, most: float, bound: float | None = None) -> None:
        one = ratio(runs, form, over)
        text = f"<= {most:g}" + (f", 95 % bound <= {bound:g}" if bound else "")
        met = None if one is None else one.median <= most and (bound is None or one.bound <= bound)
        found.append(Bar(what, text, str(one) if one else "not measured", met))

    def below(what: str, bar: str, value: float | None, most: float, unit: str) -> None:
        figure = "not measured" if value is None else f"{value:g} {unit}".strip()
        found.append(Bar(what, bar, figure, None if value is None else value <= most))

    compare("CPU over one unmixed track, 4 people at 720p30", MAIN, "floor", 1.05, 1.10)
    compare("CPU over NERTC as shipped, local", MAIN, "nertc-shipped", 0.50)
    compare("CPU over NERTC as shipped, over WebRTC", REMOTE, "nertc-shipped", 0.65)
    for suffix, where, least in (("", "local", 2.2), ("_webrtc", "over WebRTC", 1.5)):
        if (times := results["ratios"].get(f"rooms_over_nertc{suffix}")) is not None:
            what = f"rooms of three at 360p15 over NERTC's, {where}"
            found.append(Bar(what, f">= {least:g}", f"{times:g}", times >= least))
    rate = results["frame_rate"]
    missed = None if rate is None else 100 * (1 - min(1.0, rate / 30))
    below("pictures a second that are missing", "<= 0.1 %", missed, 0.1, "%")
    below("longest gap in the file", "34 ms", results["gap_ms"], 34, "ms")
    for scene, label in (("local", "local"), ("webrtc", "over WebRTC")):
        below(f"repeated or skipped, {label}", "<= 0.1 %", results["repeated_percent"][scene], 0.1, "%")
    starts = sorted(results["first_frame_ms"])
    below("from harness record to the first frame", "<= 2500 ms", starts[len(starts) // 2], 2500, "ms")
    for length, value in results.get("stop_to_file_ms", {}).items():
        below(f"stop to file after {length}", "<= 150 ms", value, 150, "ms")
    for bitrate, value in results.get("memory_mb_per_hour", {}).items():
        below(f"memory at {bitrate}", "<= 30 MB an hour", value, 30, "MB an hour")
    if (times := results.get("verify_times_real_time")) is not None:
        found.append(Bar("verifying at 720p30", ">= 10 x real time", f"{times:g} x", times >= 10))  # noqa: PLR2004
    return found


if __name__ == "__main__":
    sys.exit(main())
