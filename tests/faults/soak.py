"""Make a long recording in real time.

Run it with ``python -m tests.faults.soak [MINUTES]``. The exit code is 1 if a limit is exceeded.

Three participants record at 720p30, or as specified by --quality and --frame-rate, in our own room or in another
application's call (--application). The measured memory is the proportional set size of Chrome's processes, in MB. The
memory usage is sampled every few seconds, and its slope is fitted to all samples except the first fifth.
"""

import argparse
import contextlib
import logging
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

import av
import numpy as np

from harness import Participant, RecordConfig, Recording, Room, open_room, verify
from harness.server.clock import room_time
from tests.support.goals import Goals
from tests.support.processes import memory_by_process
from tests.support.recordings.second_opinions import disagreements
from tests.support.servers.application_site import Site

SAMPLE_EVERY = 5.0


def grown(samples: list[dict[str, float]]) -> str:
    """Return the three processes whose memory grew most, and their growth in MB.

    The growth is measured from the second to the last fifth of the samples.
    """
    fifth = max(1, len(samples) // 5)
    before, after = (
        {name: median(one.get(name, 0.0) for one in part) for name in samples[-1]}
        for part in (samples[fifth : 2 * fifth], samples[-fifth:])
    )
    most = sorted(after, key=lambda name: before[name] - after[name])[:3]
    return ", ".join(f"{name} {after[name] - before[name]:+.1f}" for name in most)


@contextlib.contextmanager
def three_participants(folder: str, *, application: bool) -> Iterator[tuple[Room, list[Participant]]]:
    """Let three participants join our room or another application's call."""
    names = ("alice", "bob", "carol")
    with contextlib.ExitStack() as stack:
        if not application:
            room = stack.enter_context(open_room(recordings=folder))
            yield room, room.join_all(*names)
            return
        site = stack.enter_context(Site())
        room = stack.enter_context(open_room(recordings=folder))
        participants = [room.enter(name, ignore_https_errors=True) for name in names]
        for one in participants:
            one.page.goto(f"{site.url}/simple-peer.html")
        room.wait_for(lambda: len(participants[0].others) == len(names) - 1, what="all participants in the call")
        yield room, participants


def record(
    room: Room, participants: list[Participant], minutes: float, config: RecordConfig
) -> tuple[Recording, np.ndarray, str]:
    """Make a recording, and sample the memory usage during the recording.

    Return the file, the samples (minutes, MB used by Chrome, MB used by Python), and the processes whose memory grew
    most.
    """
    alice = participants[0]
    alice.start_media_recording(recorder="all", record_config=config)
    began = room_time()
    samples = []
    parts = []
    while (elapsed := (room_time() - began) / 60_000) < minutes:
        parts.append(memory_by_process())
        python = parts[-1]["Python"]
        samples.append((elapsed, sum(parts[-1].values()) - python, python))
        sys.stderr.write(f"\r{elapsed:5.1f} of {minutes:g} min, Chrome {samples[-1][1]:.0f} MB")
        room.wait(seconds=min(SAMPLE_EVERY, max(0.0, minutes * 60 - elapsed * 60) + 0.05))
    sys.stderr.write("\n")
    return alice.download_media_recording(), np.array(samples), grown(parts)


def slope(samples: np.ndarray, column: int) -> float:
    """Return how fast the memory in a column of the samples grows, in MB per minute."""
    settled = samples[samples[:, 0] > samples[-1, 0] / 5]
    return float(np.polyfit(settled[:, 0], settled[:, column], 1)[0])


def backward(path: Path) -> int:
    """Return the number of timestamps that are not later than the previous timestamp on the same track."""
    stamps: dict[int, list[int]] = {}
    with av.open(path) as media:
        for packet in media.demux():
            if packet.pts is not None:
                stamps.setdefault(packet.stream.index, []).append(packet.pts)
    return sum(after <= before for track in stamps.values() for before, after in pairwise(track))


def main() -> int:
    """Record, verify the file, and print the table of measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", nargs="?", type=float, default=30.0)
    parser.add_argument("--quality", default="720p", choices=["360p", "480p", "720p"])
    parser.add_argument("--frame-rate", default=30, type=int, choices=[15, 30])
    parser.add_argument("--application", action="store_true", help="Record a call in a page that uses simple-peer.")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    config = RecordConfig(
        record_name="soak", record_video_quality=options.quality, record_video_frame=options.frame_rate
    )
    goals = Goals(strict=False)
    with tempfile.TemporaryDirectory() as folder:
        with three_participants(folder, application=options.application) as (room, participants):
            recording, samples, most = record(room, participants, options.minutes, config)
        report = verify(recording)
        drifts = {one.name: abs(one.drift_ppm or 0.0) * recording.duration / 1000 for one in report.participants}
        worst = max(drifts, key=lambda name: drifts[name])
        goals.measured(
            f"{options.minutes:g} min: drift of audio against video",
            bar="<= 40 ms",
            figure=f"{drifts[worst]:.0f} ms ({worst})",
            met=drifts[worst] <= 40,
        )
        wrong = backward(recording.path)
        goals.measured("backward timestamps", bar="0", figure=str(wrong), met=wrong == 0)
        for column, name in ((1, "Chrome"), (2, "Python")):
            grows = slope(samples, column)
            figure = f"{grows:.2f} MB/min, {samples[0, column]:.0f} to {samples[-1, column]:.0f} MB"
            goals.measured(f"memory of {name}", bar="<= 0.5 MB/min", figure=figure, met=grows <= 0.5)
        missed = report.media.video.missed if report.media and report.media.video else -1
        ticks = recording.duration * options.frame_rate
        share = 100 * (1 - missed / ticks)
        goals.measured("ticks delivered", bar=">= 99.9 %", figure=f"{share:.3f} %", met=share >= 99.9)
        took = recording.stop_to_file_ms or 0.0
        goals.measured("stop to file", bar="<= 150 ms", figure=f"{took:.0f} ms", met=took <= 150)
        differences = disagreements(recording.path)
        figure = "; ".join(differences) or "agree"
        goals.measured("ffprobe, MediaInfo, mkvinfo", bar="agree", figure=figure, met=not differences)
        for finding in report.findings:
            if finding.result != "passed":
                sys.stdout.write(f"{finding.result}: {finding.check}: {finding.message}\n")
    sys.stdout.write("\n".join([*goals.table(), f"largest memory growth, in MB: {most}", ""]))
    return 0 if all(row.met for row in goals.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
