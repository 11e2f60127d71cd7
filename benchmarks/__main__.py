"""Measure the speed and CPU usage of the harness and other recorders, and compare the results with the limits.

Run with ``python -m benchmarks`` on an otherwise idle machine. Within each repeat, the contestants (the harness and the
other recorders) take turns. Each repeat starts with a different contestant, so that other load on the machine affects
all of them equally. The benchmark compares CPU usage only between runs of the same repeat.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, get_args

from playwright.sync_api import Error as PlaywrightError

from benchmarks import suites
from benchmarks.bars import MAIN, REMOTE, added, bars, whole
from benchmarks.contest import Arena, Form, Run, Scene, open_arena
from benchmarks.page import PAGE, write_page
from benchmarks.results import LATEST, machine, middle, ratio, table, write
from harness import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

EVERYBODY: Final = ("floor", "ours", "nertc-shipped", "nertc-webm", "recordrtc")
SMALL: Final = Form(quality="360p", frame_rate=15)
SMALL_REMOTE: Final = Form(scene="webrtc", quality="360p", frame_rate=15)
SMALL_ROOM: Final = Form(scene="webrtc", people=3, quality="360p", frame_rate=15)
FEW_ROOMS: Final = 4
MOST_ROOMS: Final = 20
GROWTH: Final = tuple(Form(people=people) for people in (1, 2, 9, 16))


def main() -> int:
    """Run the benchmarks, write the results and print the table; return 1 if a limit is not met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="Run only the main comparison, which takes less than three minutes."
    )
    parser.add_argument(
        "--repeats", type=int, help="Number of recordings per contestant. Default: 9, or 2 with --quick."
    )
    parser.add_argument(
        "--seconds", type=float, help="Seconds to measure in each recording. Default: 6, or 4 with --quick."
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    repeats = options.repeats or (2 if options.quick else 9)
    seconds = options.seconds or (4 if options.quick else 6)
    results: dict[str, Any] = {"machine": machine(), "quick": options.quick}
    with open_arena() as arena:
        runs = measure_mixers(arena, options.quick, repeats, seconds)
        results |= {"runs": [run.as_json() for run in runs], "ratios": ratios(runs)} | file_figures(runs)
        save(results, runs)
        if not options.quick:
            results["rooms"] = rooms(arena)
    for key, measure in other_measurements(options.quick):
        results[key] = measure()
        log(f"{key}: {results[key]}")
        save(results, runs)
    found = bars(runs, results)
    sys.stdout.write("\n".join([*table(found), "", f"{LATEST}", f"{PAGE}", ""]))
    return 0 if all(one.met is not False for one in found) else 1


def save(results: dict[str, Any], runs: list[Run]) -> None:
    """Write the results so far, so that an interrupted run does not lose them."""
    results["bars"] = [vars(one) for one in bars(runs, results)]
    write(results)
    write_page(results)


def other_measurements(quick: bool) -> list[tuple[str, Callable[[], Any]]]:  # noqa: FBT001
    """Return the key and function of every measurement except those of the mixer, quickest first."""
    if quick:
        return [("first_frame_ms", lambda: suites.first_frame(2))]
    return [
        ("first_frame_ms", lambda: suites.first_frame(7)),
        ("verify_times_real_time", lambda: suites.verifying(20)),
        ("room_cores", lambda: suites.room_cores(5)),
        ("senders_cores", lambda: suites.senders_cores(5)),
        ("busy_percent", lambda: suites.with_a_busy_program(5)),
        ("av_offset_ms", lambda: suites.av_offset(4)),
        ("stop_to_file_ms", lambda: suites.stop_to_file(3)),
        (
            "memory_mb_per_hour",
            lambda: {
                f"{rate / 1e6:g} Mbps": suites.growth(12, bitrate=rate, log=log) for rate in (2_500_000, 20_000_000)
            },
        ),
    ]


def log(line: str) -> None:
    """Write a progress message to stderr."""
    sys.stderr.write(f"{line}\n")


def measure_mixers(arena: Arena, quick: bool, repeats: int, seconds: float) -> list[Run]:  # noqa: FBT001
    """Measure every kind of recording, with the contestants taking turns. Failed recordings are logged and skipped."""
    plan: list[tuple[Form, tuple[str, ...], int]] = [
        (MAIN, ("floor", "ours", "nertc-shipped") if quick else EVERYBODY, repeats)
    ]
    plan += [(REMOTE, ("ours", "nertc-shipped") if quick else (*EVERYBODY, "nertc-whole"), 1 if quick else repeats)]
    if not quick:
        few = max(1, repeats // 4)
        plan += [(SMALL, EVERYBODY, few), (SMALL_REMOTE, EVERYBODY, few)]
        plan += [(form, ("floor", "ours"), few) for form in GROWTH]
    runs: list[Run] = []
    for form, contestants, times in plan:
        for repeat in range(times):
            shift = repeat % len(contestants)
            for contestant in contestants[shift:] + contestants[:shift]:
                try:
                    run = arena.run(contestant, form, repeat=repeat, seconds=seconds)
                except (HarnessError, PlaywrightError) as error:
                    log(f"{form.label}: {contestant} failed: {error}")
                    continue
                runs.append(run)
                log(
                    f"{form.label} {repeat + 1}/{times}: {contestant:14} {run.cores:.3f} cores, {run.added_cores:+.3f} "
                    f"by recording (other programs {run.foreign:.2f}), {run.frame_rate:.2f} fps, "
                    f"longest gap {run.gap_max:g} ms, "
                    f"repeated {run.repeated} %, {run.psnr} dB, {run.memory:.0f} MB"
                )
    return runs


def rooms(arena: Arena) -> dict[str, dict[str, float]]:
    """Return how many rooms each contestant can record at full frame rate, and how many hold without a recording.

    Each room has three participants and is recorded at 360p15.
    """
    found: dict[str, dict[str, float]] = {}
    for scene in get_args(Scene):
        form = replace(SMALL_ROOM, scene=scene)
        held = {
            contestant: _most_rooms(
                f"{form.label}: {contestant}", form, partial(_recorded_rate, arena, contestant, form)
            )
            for contestant in ("ours", "nertc-shipped")
        }
        found[scene] = {**held, "over_nertc": round(held["ours"] / max(1, held["nertc-shipped"]), 2)}
    # In the page, no video arrives from anywhere, so only calls over WebRTC can be counted.
    found["webrtc"]["unrecorded"] = _most_rooms(
        f"{SMALL_ROOM.label}: nobody",
        SMALL_ROOM,
        lambda count: arena.lowest_call_rate(SMALL_ROOM, rooms=count, seconds=6),
    )
    return found


def _recorded_rate(arena: Arena, contestant: str, form: Form, count: int) -> float:
    return arena.lowest_rate(contestant, form, rooms=count, seconds=6)


def _most_rooms(title: str, form: Form, lowest_rate: Callable[[int], float]) -> int:
    """Return how many rooms can be open in parallel while the lowest frame rate stays at 99 % or more."""
    held = 0
    while True:
        count = held + (1 if held < FEW_ROOMS else 2)
        try:
            rate = lowest_rate(count)
        except (HarnessError, PlaywrightError) as error:
            # With this many rooms, the recordings do not even start in time.
            log(f"{count} rooms of {title} failed: {str(error).partition(chr(10))[0]}")
            return held
        log(f"{count} rooms of {title} at {rate:.2f} fps")
        if rate < 0.99 * form.frame_rate or count >= MOST_ROOMS:
            return count if rate >= 0.99 * form.frame_rate else held
        held = count


def ratios(runs: list[Run]) -> dict[str, float | None]:
    """Return the median ratios of the harness's CPU usage to each other contestant's, for four participants (720p30).

    ``mixer_over_`` compares the whole call, and ``added_over_`` only what recording adds to it.
    """
    found: dict[str, float | None] = {}
    for suffix, form in (("", MAIN), ("_webrtc", REMOTE)):
        for contestant in ("floor", "nertc-shipped", "nertc-webm", "nertc-whole", "recordrtc"):
            name = contestant.replace("-", "_")
            for key, cost in (("mixer", whole), ("added", added)):
                if found_ratio := ratio(runs, form, contestant, cost=cost):
                    found[f"{key}_over_{name}{suffix}"] = found_ratio.median
    return found


def file_figures(runs: list[Run]) -> dict[str, Any]:
    """Return what ``verify`` measured in the harness's recordings of four participants at 720p30."""
    worst: Callable[[Run], float | None] = lambda run: max(run.repeated or 0.0, run.skipped or 0.0)  # noqa: E731
    return {
        "frame_rate": middle(runs, MAIN, "ours", lambda run: run.frame_rate),
        "gap_ms": middle(runs, MAIN, "ours", lambda run: run.gap_max),
        "repeated_percent": {
            "local": middle(runs, MAIN, "ours", worst),
            "webrtc": middle(runs, REMOTE, "ours", worst),
        },
    }


if __name__ == "__main__":
    sys.exit(main())
