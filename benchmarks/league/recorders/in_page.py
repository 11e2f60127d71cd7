"""NERTC's SDK and RecordRTC, which record in Alice's page."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from benchmarks.league.recorders.recorder import Needs, RecordedFile, Recorder
from benchmarks.league.stage import FRAME_RATE

if TYPE_CHECKING:
    from benchmarks.league.stage import Stage

_SCRIPT: Final = Path(__file__).with_name("in_page.js")
_DOWNLOADED_WITHIN: Final = 60_000
_MEDIA: Final = (".webm", ".mp4", ".mkv")


class InPageRecorder(Recorder):
    """A library that records in the page and keeps the recording in the page's memory until it is downloaded."""

    library: ClassVar[str]
    """Path of the library's file in the folder ``node_modules``."""
    after: ClassVar[str] = ""
    """Code that runs after the library has been loaded."""
    calls: ClassVar[tuple[str, ...]]
    """The library's calls that make the recording."""

    def begin(self, stage: Stage) -> None:
        """Load the library into Alice's page, and start the recording."""
        if self.modules is None:
            message = "The folder with npm's packages is not known."
            raise ValueError(message)
        page = stage.alice.page
        page.add_script_tag(content=f"{(self.modules / self.library).read_text(encoding='utf-8')};{self.after}")
        page.add_script_tag(content=_SCRIPT.read_text(encoding="utf-8"), type="module")
        page.wait_for_function("() => window.league !== undefined", timeout=_DOWNLOADED_WITHIN)
        config = {"recordName": "league", "recordVideoQuality": 720, "recordVideoFrame": FRAME_RATE}
        page.evaluate("([key, config]) => league.begin(key, config)", [self.key, config])
        stage.notes.update(zero_at=time.time(), commands=list(self.calls))

    def end(self, stage: Stage) -> None:
        """Stop the recording, and store its file."""
        (stage.folder / "downloads").mkdir()
        with stage.alice.page.expect_download(timeout=_DOWNLOADED_WITHIN) as download:
            stage.alice.page.evaluate("() => league.end()")
        download.value.save_as(stage.folder / "downloads" / f"{self.key}.webm")

    def collect(self, folder: Path, began: dict[str, Any], *, killed: bool) -> list[RecordedFile]:
        """Return the downloaded file; after a crash, return every media file that exists."""
        found = folder.rglob("*") if killed else (folder / "downloads").glob("*")
        paths = sorted(path for path in found if path.suffix in _MEDIA and path.is_file())
        return [RecordedFile(path=path, zero_at=float(began["notes"]["zero_at"])) for path in paths]

    def versions(self) -> dict[str, str]:
        """Return the version of the library."""
        if self.modules is None or self.needs.npm is None:
            return {}
        name = self.needs.npm.partition("@")[0]
        package = json.loads((self.modules / name / "package.json").read_text(encoding="utf-8"))
        return {name: str(package["version"])}


class NertcRecorder(InPageRecorder):
    """The client-side recorder of NERTC's SDK."""

    key = "nertc"
    title = "NERTC Web SDK"
    method = (
        "NERTC's SDK draws the videos onto a canvas in Alice's page. It receives the same tracks that the room's own "
        "recorder receives, and keeps the recording in the page's memory."
    )
    needs = Needs(npm="nertc-web-sdk@5.8.34")
    library = "nertc-web-sdk/NERTC.js"
    after = "window.NERTCSDK = window.NERTC;"
    calls = (
        f"recordConfig = {{recordType: 'video', recordVideoQuality: 720, recordVideoFrame: {FRAME_RATE}}}",
        "client.startMediaRecording({recorder: 'all', recordConfig})",
        "client.stopMediaRecording(); client.downloadMediaRecording()",
    )


class RecordRtcRecorder(InPageRecorder):
    """RecordRTC's recorder for several streams."""

    key = "recordrtc"
    title = "RecordRTC"
    method = (
        "RecordRTC draws the videos onto a canvas in Alice's page, with the codec and bitrate of the harness. It "
        "receives the same tracks that the room's own recorder receives, and keeps the recording in the page's memory."
    )
    needs = Needs(npm="recordrtc@5.6.2")
    library = "recordrtc/RecordRTC.js"
    calls = (
        f"options = {{type: 'video', mimeType, videoBitsPerSecond, frameInterval: 1000 / {FRAME_RATE}}}",
        "recorder = RecordRTC(streams, options)",
        "recorder.startRecording(); recorder.getInternalRecorder().addStreams([late]); recorder.stopRecording()",
    )
