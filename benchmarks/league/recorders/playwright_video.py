"""Playwright's own video of a page, ``record_video``, which has no audio."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import playwright

from benchmarks.league.processes import version_of
from benchmarks.league.recorders.recorder import Needs, RecordedFile, Recorder
from benchmarks.league.recorders.viewer import open_viewer
from benchmarks.league.stage import FRAME_RATE, SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.league.stage import Stage

_FOLDER: Final = "PLAYWRIGHT_BROWSERS_PATH"
_PACKAGE: Final = Path(playwright.__file__).parent / "driver" / "package"


class PlaywrightRecorder(Recorder):
    """Captures a page of the participants' Chrome in which a fourth participant watches the call."""

    key = "playwright"
    title = "Playwright's video"
    method = (
        "A fourth participant watches the call in a headless page, and Playwright captures this page with "
        "`record_video`. Playwright records no audio. If Playwright's own ffmpeg is not installed, Debian's ffmpeg is "
        "used instead."
    )
    needs = Needs(programs=(("ffmpeg", "ffmpeg"),))

    def __init__(self, modules: Path | None = None) -> None:
        super().__init__(modules)
        self._stack = contextlib.ExitStack()

    @contextlib.contextmanager
    def environment(self, folder: Path) -> Iterator[None]:
        """Provide an ffmpeg where Playwright expects its own."""
        if own_ffmpeg() is not None:
            yield
            return
        before = os.environ.get(_FOLDER)
        os.environ[_FOLDER] = str(_stand_in(folder / "playwright"))
        try:
            yield
        finally:
            if before is None:
                del os.environ[_FOLDER]
            else:
                os.environ[_FOLDER] = before

    def begin(self, stage: Stage) -> None:
        """Open the page whose video is recorded."""
        width, height = SIZE
        size = {"width": width, "height": height}
        stage.notes.update(
            zero_at=time.time(),
            temporary=tempfile.gettempdir(),
            commands=[
                f"size = {size}",
                f"options = dict(record_video_dir=FOLDER, record_video_size=size, record_video_fps={FRAME_RATE})",
                "browser.new_context(viewport=size, **options)",
            ],
        )
        context = stage.browsers.new_context(
            viewport=size,
            record_video_dir=stage.folder / "video",
            record_video_size=size,
            record_video_fps=FRAME_RATE,
        )
        self._stack.enter_context(open_viewer(stage, context))

    def end(self, stage: Stage) -> None:  # noqa: ARG002
        """Close the page, which completes the video."""
        self._stack.close()

    def collect(self, folder: Path, began: dict[str, Any], *, killed: bool) -> list[RecordedFile]:
        """Return the video; after a crash, it may still be in Playwright's temporary folder."""
        paths = sorted((folder / "video").glob("*.webm"))
        if killed and not paths:
            paths = sorted(Path(began["notes"]["temporary"]).glob("playwright-artifacts-*/*.webm"))
        kept = []
        for path in paths:
            if path.parent != folder / "video":
                (folder / "video").mkdir(exist_ok=True)
                path = Path(shutil.copy(path, folder / "video"))  # noqa: PLW2901 - the copy is kept
            kept.append(RecordedFile(path=path, zero_at=float(began["notes"]["zero_at"])))
        return kept

    def versions(self) -> dict[str, str]:
        """Return the versions of Playwright and of the ffmpeg that it uses."""
        own = own_ffmpeg()
        return {
            "playwright": metadata.version("playwright"),
            "ffmpeg": version_of((str(own) if own else "ffmpeg", "-version")),
        }


def own_ffmpeg() -> Path | None:
    """Return Playwright's own ffmpeg, or None if it is not installed."""
    return next((path for path in sorted(_browsers().glob("ffmpeg-*/ffmpeg-linux")) if os.access(path, os.X_OK)), None)


def _browsers() -> Path:
    """Return the folder in which Playwright installs browsers on Linux."""
    return Path(os.environ.get(_FOLDER) or Path.home() / ".cache" / "ms-playwright")


def _stand_in(folder: Path) -> Path:
    """Create a folder with links to Playwright's browsers, and with Debian's ffmpeg as Playwright's."""
    browsers = json.loads((_PACKAGE / "browsers.json").read_text(encoding="utf-8"))["browsers"]
    revision = next(one["revision"] for one in browsers if one["name"] == "ffmpeg")
    own = folder / f"ffmpeg-{revision}"
    own.mkdir(parents=True)
    (own / "ffmpeg-linux").symlink_to(str(shutil.which("ffmpeg")))
    installed = _browsers()
    for path in installed.iterdir() if installed.is_dir() else ():
        if not path.name.startswith("ffmpeg-"):
            (folder / path.name).symlink_to(path)
    return folder
