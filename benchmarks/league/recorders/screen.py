"""A screen recorder that works as Jibri does: Chrome on a virtual display, a virtual audio output, and ffmpeg."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.league.processes import Program, version_of
from benchmarks.league.recorders.recorder import Needs, RecordedFile, Recorder
from benchmarks.league.recorders.viewer import open_viewer
from benchmarks.league.stage import FRAME_RATE, SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.league.stage import Stage

_SINK: Final = "league"
_FINISHED_WITHIN: Final = 30.0
# ffmpeg prints the Unix time of the first frame that it captured.
_FIRST_FRAME: Final = re.compile(r"Input #0, x11grab.*?start: (\d+\.\d+)", re.DOTALL)


class ScreenRecorder(Recorder):
    """Captures the display and the audio output of a Chrome in which a fourth participant watches the call."""

    key = "screen"
    title = "Screen recorder, as Jibri"
    method = (
        "A fourth participant watches the call in a Chrome with a window on Xvfb. ffmpeg captures the display and "
        "PulseAudio's null sink with the options that Jibri uses. Jibri itself needs Jitsi Meet, so it can't record "
        "this call."
    )
    needs = Needs(
        programs=(
            ("Xvfb", "xvfb"),
            ("pulseaudio", "pulseaudio"),
            ("ffmpeg", "ffmpeg"),
        )
    )

    def __init__(self, modules: Path | None = None) -> None:
        super().__init__(modules)
        self._stack = contextlib.ExitStack()
        self._window: dict[str, str] = {}
        self._ffmpeg: Program

    @contextlib.contextmanager
    def environment(self, folder: Path) -> Iterator[None]:
        """Run the display and the audio server."""
        # The path of a socket must be short.
        runtime = Path(tempfile.mkdtemp(prefix="league-audio-"))
        socket = runtime / "socket"
        number = folder / "display"
        with number.open("wb") as display:
            descriptor = display.fileno()
            xvfb = Program(_xvfb(descriptor), folder / "xvfb.log", descriptors=(descriptor,))
        pulse = Program(
            _pulseaudio(socket),
            folder / "pulseaudio.log",
            environment={"XDG_RUNTIME_DIR": str(runtime), "HOME": str(runtime)},
        )
        try:
            xvfb.wait_for(lambda: number.read_text().strip(), "it reported its display")
            pulse.wait_for(socket.is_socket, "its socket existed")
            self._window = {
                "DISPLAY": f":{number.read_text().strip()}",
                "PULSE_SERVER": f"unix:{socket}",
                "XDG_RUNTIME_DIR": str(runtime),
            }
            yield
        finally:
            pulse.kill()
            xvfb.interrupt(within=_FINISHED_WITHIN)

    def begin(self, stage: Stage) -> None:
        """Open the window, and capture it."""
        window = stage.browsers.open_window(stage.folder / "profile", self._window)
        self._stack.enter_context(open_viewer(stage, window))
        command = _ffmpeg(self._window["DISPLAY"], self._window["PULSE_SERVER"], stage.folder / "screen.mp4")
        self._ffmpeg = Program(command, stage.folder / "ffmpeg.log")
        stage.room.wait_for(
            lambda: self._ffmpeg.ended or "frame=" in self._ffmpeg.log, what="ffmpeg to capture", timeout=30
        )
        self._ffmpeg.wait_for(lambda: "frame=" in self._ffmpeg.log, "it captured a frame")
        stage.notes["commands"] = [
            " ".join(_xvfb(1)),
            " ".join(_pulseaudio(Path("SOCKET"))),
            "DISPLAY=:N PULSE_SERVER=unix:SOCKET chromium --kiosk --window-size=1280,720 URL",
            " ".join(_ffmpeg(":N", "unix:SOCKET", Path("screen.mp4"))),
        ]

    def end(self, stage: Stage) -> None:  # noqa: ARG002
        """Stop ffmpeg, which completes its file, and close the window."""
        self._ffmpeg.interrupt(within=_FINISHED_WITHIN)
        self._stack.close()

    def collect(self, folder: Path, began: dict[str, Any], *, killed: bool) -> list[RecordedFile]:  # noqa: ARG002
        """Return ffmpeg's file."""
        path = folder / "screen.mp4"
        log = folder / "ffmpeg.log"
        found = _FIRST_FRAME.search(log.read_text(errors="replace")) if log.exists() else None
        zero_at = float(found[1]) if found else float(began["began_at"])
        return [RecordedFile(path=path, zero_at=zero_at)] if path.exists() else []

    def versions(self) -> dict[str, str]:
        """Return the versions of ffmpeg, PulseAudio and Xvfb."""
        return {
            "ffmpeg": version_of(("ffmpeg", "-version")),
            "pulseaudio": version_of(("pulseaudio", "--version")),
            "xvfb": version_of(("dpkg-query", "--show", "xvfb")),
        }


def _xvfb(descriptor: int) -> list[str]:
    width, height = SIZE
    screen = ["-screen", "0", f"{width}x{height}x24"]
    return ["Xvfb", "-displayfd", str(descriptor), *screen, "-nolisten", "tcp", "-noreset"]


def _pulseaudio(socket: Path) -> list[str]:
    modules = (
        f"module-native-protocol-unix socket={socket} auth-anonymous=1",
        f"module-null-sink sink_name={_SINK} rate=48000 channels=2",
    )
    options = ["-n", "--daemonize=no", "--system=false", "--exit-idle-time=-1", "--use-pid-file=false"]
    return ["pulseaudio", *options, *(part for module in modules for part in ("-L", module))]


def _ffmpeg(display: str, audio: str, path: Path) -> list[str]:
    """Return the command with Jibri's options, except that the audio comes from PulseAudio instead of ALSA."""
    width, height = SIZE
    rate = str(FRAME_RATE)
    queue = ["-thread_queue_size", "4096"]
    return [
        *("ffmpeg", "-y", "-v", "info"),
        *("-f", "x11grab", "-draw_mouse", "0", "-r", rate, "-s", f"{width}x{height}", *queue, "-i", f"{display}.0+0,0"),
        *("-f", "pulse", "-server", audio, *queue, "-i", f"{_SINK}.monitor"),
        *("-acodec", "aac", "-strict", "-2", "-ar", "44100", "-b:a", "128k", "-af", "aresample=async=1"),
        *("-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-level", "3.1"),
        *("-pix_fmt", "yuv420p", "-r", rate, "-crf", "25", "-g", str(2 * FRAME_RATE), "-tune", "zerolatency"),
        *("-f", "mp4", str(path)),
    ]
