"""The harness's own recorder, in Alice's page."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from benchmarks.league.recorders.recorder import ROOT, RecordedFile, Recorder
from benchmarks.league.stage import FRAME_RATE
from harness import RecordConfig

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.league.stage import Stage

_RECOVERED_WITHIN: Final = 60.0


def record_config() -> RecordConfig:
    """Return the options of the recording."""
    return RecordConfig(record_name="league", record_video_quality="720p", record_video_frame=FRAME_RATE)


class RoomRecorder(Recorder):
    """The room's own recorder."""

    key = "harness"
    title = "recording-harness"
    method = (
        "Alice's page mixes everybody into one stream, and sends MediaRecorder's output to the server while the "
        "recording is in progress. After a crash, `harness recover` finishes the file."
    )

    def begin(self, stage: Stage) -> None:
        """Start the recording with NERTC's call."""
        stage.alice.start_media_recording(recorder="all", record_config=record_config())
        stage.notes["zero_at"] = time.time() - stage.alice.elapsed
        stage.notes["commands"] = [
            f'config = RecordConfig(record_video_quality="720p", record_video_frame={FRAME_RATE})',
            'alice.start_media_recording(recorder="all", record_config=config)',
            "alice.stop_media_recording(); alice.download_media_recording()",
        ]

    def end(self, stage: Stage) -> None:
        """Stop and download the recording."""
        stage.alice.stop_media_recording()
        stage.alice.download_media_recording()

    def collect(self, folder: Path, began: dict[str, Any], *, killed: bool) -> list[RecordedFile]:
        """Return the recording; after a crash, recover it first."""
        recordings = folder / "recordings"
        if killed:
            subprocess.run(
                [sys.executable, "-m", "harness", "recover", str(recordings)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_RECOVERED_WITHIN,
            )
        zero_at = float(began["notes"]["zero_at"])
        return [RecordedFile(path=path, zero_at=zero_at) for path in sorted(recordings.glob("*.webm"))]

    def versions(self) -> dict[str, str]:
        """Return the harness's version."""
        return {"recording-harness": metadata.version("recording-harness")}
