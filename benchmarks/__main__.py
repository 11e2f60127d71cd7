"""``python -m benchmarks``: everything that is promised about speed and cost, measured in one run.

Contestants take turns within each repeat and start from another one each time, so that what the machine does meanwhile
falls on all of them alike; costs are compared pair by pair. Run it on a machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import Error as PlaywrightError

from benchmarks import suites
from benchmarks.bars import MAIN, REMOTE, bars
from benchmarks.contest import Arena, Form, Run, Scene, open_arena
from benchmarks.page import PAGE, write_page
from benchmarks.results import LATEST, machine, middle, ratio, table, write
from harness import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

EVERYBODY: Final = ("floor", "ours", "nertc-shipped", "nertc-webm", "recordrtc")
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
        results |= {"runs": [run.as_json() for run in runs], "ratios": ratios(runs)} | of_the_files(runs)
        keep(results, runs)
        if not asked.quick:
            results["ratios"] |= rooms(arena)
    for key, measure in beside(asked.quick):
        results[key] = measure()
        tell(f"{key}: {results[key]}")
        keep(results, runs)
    found = bars(runs, results)
    sys.stdout.write("\n".join([*table(found), "", f"{LATEST}", f"{PAGE}", ""]))
    return 0 if all(one.met is not False for one in found) else 1


def keep(results: dict[str, Any], runs: list[Run]) -> None:
    """Write what is known so far: whatever ends the run, that is not lost."""
    results["bars"] = [vars(one) for one in bars(runs, results)]
    write(results)
    write_page(results)


def beside(quick: bool) -> list[tuple[str, Callable[[], Any]]]:  # noqa: FBT001
    """Return what is measured beside the mixer, by its key in the results, the shortest first."""
    if quick:
        return [("first_frame_ms", lambda: suites.first_frame(2))]
    return [
        ("first_frame_ms", lambda: suites.first_frame(7)),
        ("verify_times_real_time", lambda: suites.verifying(20)),
        ("senders_cores", lambda: suites.senders(5)),
        ("busy_percent", lambda: suites.beside_a_busy_program(5)),
        ("av_offset_ms", lambda: suites.sound_against_picture(4)),
        ("stop_to_file_ms", lambda: suites.stop_to_file(3)),
        (
            "memory_mb_per_hour",
            lambda: {
                f"{rate / 1e6:g} Mbps": suites.growth(12, bitrate=rate, tell=tell) for rate in (2_500_000, 20_000_000)
            },
        ),
    ]


def tell(line: str) -> None:
    """Say on stderr what is going on."""
    sys.stderr.write(f"{line}\n")


def mixing(arena: Arena, quick: bool, repeats: int, seconds: float) -> list[Run]:  # noqa: FBT001
    """Let the contestants record in turns, in every form; a contestant that fails is told of and left out."""
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
    scenes: tuple[tuple[str, Scene], ...] = (("", "local"), ("_webrtc", "webrtc"))
    for suffix, scene in scenes:
        form = Form(scene=scene, people=3, quality="360p", frame_rate=15)
        held = {who: _held(arena, who, form) for who in ("ours", "nertc-shipped")}
        found[f"rooms_over_nertc{suffix}"] = round(held["ours"] / max(1, held["nertc-shipped"]), 2)
    return found


def _held(arena: Arena, contestant: str, form: Form) -> int:
    """Return how many rooms one contestant records side by side at 99 % of the rate or more."""
    held = 0
    while True:
        count = held + (1 if held < FEW_ROOMS else 2)
        try:
            rate = arena.lowest_rate(contestant, form, rooms=count, seconds=6)
        except (HarnessError, PlaywrightError) as error:
            # So many do not even begin in time.
            tell(f"{count} rooms of {form.label}: {contestant} failed: {str(error).partition(chr(10))[0]}")
            return held
        tell(f"{count} rooms of {form.label}: {contestant} at {rate:.2f}/s")
        if rate < 0.99 * form.frame_rate or count >= MOST_ROOMS:
            return count if rate >= 0.99 * form.frame_rate else held
        held = count


def ratios(runs: list[Run]) -> dict[str, float | None]:
    """Return the medians of what we cost over each of the others, four people at 720p30."""
    found: dict[str, float | None] = {}
    for suffix, form in (("", MAIN), ("_webrtc", REMOTE)):
        for contestant in ("floor", "nertc-shipped", "nertc-webm", "nertc-whole", "recordrtc"):
            if one := ratio(runs, form, contestant):
                found[f"mixer_over_{contestant.replace('-', '_')}{suffix}"] = one.median
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


if __name__ == "__main__":
    sys.exit(main())
