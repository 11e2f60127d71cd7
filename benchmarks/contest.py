"""Compare the harness's mixer with NERTC's mixer, RecordRTC's mixer and a recorder without a mixer."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from benchmarks.meter import measure
from benchmarks.quality import psnr
from harness import verify
from harness.browser.chrome import Chrome
from harness.launch import versions
from harness.server.room_server import RoomServer
from harness.session.room import Room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Participant, Report

Scene = Literal["local", "webrtc"]

ROOT: Final = Path(__file__).parents[1]
PEERS: Final = ("nertc-web-sdk@5.8.34", "recordrtc@5.6.2")
# The file that a page loads from each package, and the code that runs once the file has been loaded.
_SCRIPTS: Final = {
    "nertc-web-sdk/NERTC.js": "window.NERTCSDK = window.NERTC;",
    "recordrtc/RecordRTC.js": "",
}
_LOADS: Final = {
    "nertc-shipped": "nertc-web-sdk/NERTC.js",
    "nertc-webm": "nertc-web-sdk/NERTC.js",
    "nertc-whole": "nertc-web-sdk/NERTC.js",
    "recordrtc": "recordrtc/RecordRTC.js",
}
# Contestants that always receive full-size video, because NERTC's SDK does not report the sizes of tiles. All other
# contestants receive video at the size of its tile.
_WHOLE: Final = ("nertc-whole",)
# Time, in seconds, from the start of a call or a recording to the start of the measurement.
_WARM: Final = 1.5
SIZES: Final = {"360p": (640, 360), "480p": (640, 480), "720p": (1280, 720)}
NAMES: Final = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan")


@dataclass(frozen=True, kw_only=True)
class Form:
    """A recording's parameters: number of participants, whether they are local or remote, size and frame rate."""

    scene: Scene = "local"
    people: int = 4
    quality: str = "720p"
    frame_rate: int = 30

    @property
    def label(self) -> str:
        """A short description of the recording's parameters."""
        where = "in the page" if self.scene == "local" else "over WebRTC"
        return f"{self.people} participants {where}, {self.quality}{self.frame_rate}"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One recording by one contestant, with its CPU and memory usage and the measurements from ``verify``.

    Runs with the same ``repeat`` are made one right after another. ``cores`` and ``memory`` belong to the call while it
    was recorded, ``call_cores`` and ``call_memory`` to the same call just before. Both include all participants and
    their synthetic media. ``repeated`` and ``skipped`` are percentages of the worst participant's frames, or None if no
    participant has markers. ``psnr`` is the PSNR of the recorded frames, compared with their sources, in dB.
    """

    contestant: str
    form: Form
    repeat: int
    cores: float
    call_cores: float
    foreign: float
    memory: float
    call_memory: float
    frame_rate: float
    gap_p50: float
    gap_max: float
    repeated: float | None
    skipped: float | None
    av_offset: float | None
    kilobits: float
    stop_to_file_ms: float
    container: str
    psnr: float | None

    @property
    def added_cores(self) -> float:
        """The CPU time per second that recording added to the call."""
        return self.cores - self.call_cores

    def as_json(self) -> dict[str, Any]:
        """Return the run as data that can be converted to JSON."""
        return asdict(self)


@contextmanager
def open_arena() -> Iterator[Arena]:
    """Install the other contestants into a scratch folder, and open one Chrome instance for all contestants."""
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", *PEERS]
        subprocess.run([str(ROOT / "scripts" / "with-node"), *install], cwd=folder, check=True, capture_output=True)
        with Chrome(fake_devices=True) as chrome:
            yield Arena(chrome, Path(folder))


class Arena:
    """A Chrome instance in which the contestants record one at a time, each in its own rooms."""

    def __init__(self, chrome: Chrome, folder: Path) -> None:
        self._chrome = chrome
        self._folder = folder
        self._files = 0

    def run(self, contestant: str, form: Form, *, repeat: int, seconds: float) -> Run:
        """Let one contestant record for ``seconds`` seconds, and measure it; raises HarnessError if recording fails."""
        with self._rooms(1, form) as (room,):
            alice = self._prepare(room, contestant, form)
            call = measure(room, seconds, settled_after=_WARM)
            self._begin(alice, form)
            cost = measure(room, seconds, settled_after=_WARM)
            sources = alice.page.evaluate("() => contest.sources()")
            path, stop_to_file_ms = self._end(alice, contestant)
        report = verify(path)
        run = Run(
            contestant=contestant,
            form=form,
            repeat=repeat,
            cores=round(cost.cores, 4),
            call_cores=round(call.cores, 4),
            foreign=round(max(call.foreign, cost.foreign), 4),
            memory=round(cost.memory, 1),
            call_memory=round(call.memory, 1),
            stop_to_file_ms=round(stop_to_file_ms, 1),
            psnr=psnr(path, sources),
            **_measured(report),
        )
        path.unlink()
        return run

    def lowest_rate(self, contestant: str, form: Form, *, rooms: int, seconds: float) -> float:
        """Return the lowest frame rate among ``rooms`` rooms that one contestant records in parallel."""
        rates = []
        with self._rooms(rooms, form) as opened:
            recording = [self._prepare(room, contestant, form) for room in opened]
            for alice in recording:
                self._begin(alice, form)
            opened[0].wait(seconds=seconds)
            paths = [self._end(alice, contestant)[0] for alice in recording]
        for path in paths:
            media = verify(path).media
            rates.append(media.video.frame_rate if media and media.video else 0.0)
            path.unlink()
        return min(rates)

    def lowest_call_rate(self, form: Form, *, rooms: int, seconds: float) -> float:
        """Return the lowest frame rate of all videos that arrive in ``rooms`` rooms over WebRTC without a recording."""
        with self._rooms(rooms, form) as opened:
            pages = [self._prepare(room, "ours", form).page for room in opened]
            for page in pages:
                page.evaluate(
                    "(seconds) => { window.rate = undefined; "
                    "contest.lowestRate(seconds).then((rate) => { window.rate = rate; }); }",
                    seconds,
                )
            rates = [page.wait_for_function("() => window.rate", timeout=1000 * seconds + 20_000) for page in pages]
            return min(float(rate.json_value()) for rate in rates)

    @contextmanager
    def _rooms(self, count: int, form: Form) -> Iterator[list[Room]]:
        """Open rooms with all participants except those that the recording page creates itself."""
        with (
            RoomServer(recordings=self._folder, versions=versions(self._chrome.version)) as server,
            ExitStack() as stack,
        ):
            rooms = [
                stack.enter_context(
                    Room(
                        server=server,
                        new_context=lambda: self._chrome.new_context(accept_downloads=True, bypass_csp=True),
                        recordings=self._folder,
                        name=f"arena-{number}",
                    )
                )
                for number in range(count)
            ]
            for room in rooms:
                room.join_all(*NAMES[: form.people if form.scene == "webrtc" else 1])
            yield rooms

    def _prepare(self, room: Room, contestant: str, form: Form) -> Participant:
        alice = room.participants[0]
        self._load(alice, contestant)
        alice.page.evaluate("(options) => contest.open(options)", _opening(contestant, form))
        return alice

    def _begin(self, alice: Participant, form: Form) -> None:
        beginning = {"scene": form.scene, "recordConfig": _config(form)}
        alice.page.evaluate("(options) => contest.begin(options)", beginning)

    def _end(self, alice: Participant, contestant: str) -> tuple[Path, float]:
        """Stop and download the recording; return its path, and how many ms passed until the file was complete."""
        self._files += 1
        path = self._folder / f"{self._files}-{contestant}.webm"
        with alice.page.expect_download() as download:
            ended = alice.page.evaluate("() => contest.end()")
        download.value.save_as(path)
        return path, ended["stopToFileMs"]

    def _load(self, alice: Participant, contestant: str) -> None:
        if (script := _LOADS.get(contestant)) is not None:
            alice.page.add_script_tag(
                content=(self._folder / "node_modules" / script).read_text() + ";" + _SCRIPTS[script]
            )
        # add_script_tag may return before a module has run, so wait for the value that the module sets.
        alice.page.add_script_tag(content=(ROOT / "benchmarks" / "contest.js").read_text(), type="module")
        alice.page.wait_for_function("() => window.contest !== undefined")


def _opening(contestant: str, form: Form) -> dict[str, Any]:
    columns = 1 if contestant in _WHOLE else -(-(form.people**0.5) // 1)
    width, height = SIZES[form.quality]
    tile = {"width": int(width // columns), "height": int(height // columns), "frameRate": form.frame_rate}
    return {
        "contestant": contestant,
        "others": form.people - 1,
        "size": tile,
        "scene": form.scene,
        "recordConfig": _config(form),
    }


def _config(form: Form) -> dict[str, Any]:
    return {
        "recordName": "arena",
        "recordVideoQuality": form.quality,
        "recordVideoFrame": form.frame_rate,
        "names": False,
    }


def _measured(report: Report) -> dict[str, Any]:
    """Return the values of a report that are stored in a ``Run``."""
    media = report.media
    video = media.video if media else None
    videos = [one.video for one in report.participants if one.video]
    offsets = [one.av_offset_ms.median for one in report.participants if one.av_offset_ms]
    return {
        "frame_rate": video.frame_rate if video else 0.0,
        "gap_p50": video.gap_ms.p50 if video and video.gap_ms else 0.0,
        "gap_max": video.gap_ms.max if video and video.gap_ms else 0.0,
        "repeated": max((one.repeated_percent for one in videos), default=None),
        "skipped": max((one.skipped_percent for one in videos), default=None),
        "av_offset": max(offsets, key=abs, default=None),
        "kilobits": round(media.bitrate / 1000) if media and media.bitrate else 0.0,
        "container": media.container if media else "",
    }
