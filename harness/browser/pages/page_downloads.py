"""PageDownloads tracks the downloads that a page starts, and saves their files."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from playwright.sync_api import Error as PlaywrightError

from harness.errors import disk_full
from harness.recording.files.disk import free_bytes, megabytes, temporary_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import ConsoleMessage, Download, Page, Request

# How often Python looks for a new or finished download, in milliseconds.
_LOOK_EVERY: Final = 20
# Maximum time until Playwright reports a download after the server has sent the file, in seconds.
REPORTED_WITHIN: Final = 4.0
# Maximum time until the browser has stored a file after the server has sent it, in seconds.
STORED_WITHIN: Final = 10.0
# The permissions that a sandboxed frame needs for a download. If a permission is missing, Chrome's message
# contains the permission's name. An attached page opens a new window to download a file, which requires allow-popups.
_PERMISSIONS: Final = ("allow-downloads", "allow-popups")
# If a request becomes a download, Chrome reports the request as aborted.
_BECAME_DOWNLOAD: Final = "net::ERR_ABORTED"
# The address of Chrome's error page, which replaces a page that could not be loaded.
_ERROR_PAGE: Final = "chrome-error://chromewebdata/"
# Node.js's names for the errors that occur if the disk is full or the user's quota is used up.
_FULL: Final = ("ENOSPC", "EDQUOT")
_KEPT: Final = 50


class NotDownloaded(Exception):
    """The browser did not download a file. The message is the reason, as a clause without a period at the end."""


@dataclass(eq=False)
class PageDownload:
    """A download; ``failure`` is Playwright's reason if the state is "failed"."""

    playwright: Download
    state: Literal["running", "complete", "failed"] = "running"
    failure: str = ""


class PageDownloads:
    """A page's downloads that have not been collected yet, in chronological order.

    ``is_ours`` returns whether to track a download from the given URL.
    """

    def __init__(self, page: Page, is_ours: Callable[[str], bool]) -> None:
        self._page = page
        self._is_ours = is_ours
        self._waiting: deque[PageDownload] = deque()
        # For each URL that the browser could not load: the time, the URL and the reason.
        self._refused: deque[tuple[float, str, str]] = deque(maxlen=_KEPT)
        # For each report that a sandboxed frame lacks a permission: the time and the permission.
        self._denied: deque[tuple[float, str]] = deque(maxlen=_KEPT)
        page.on("download", self._on_download)
        # An attached page downloads in a new window, which has its own requests and its own console.
        page.context.on("requestfailed", self._on_request_failed)
        page.context.on("console", self._on_console)

    def __len__(self) -> int:
        return len(self._waiting)

    def close(self) -> None:
        """Stop tracking downloads."""
        self._page.remove_listener("download", self._on_download)
        self._page.context.remove_listener("requestfailed", self._on_request_failed)
        self._page.context.remove_listener("console", self._on_console)

    def next(
        self, is_wanted: Callable[[str], bool] = lambda _: True, *, seconds: float = REPORTED_WITHIN
    ) -> PageDownload:
        """Remove and return the oldest download with a URL that ``is_wanted`` accepts; wait for one if necessary.

        Raises NotDownloaded if Playwright does not report such a download in time.
        """
        if not self._wait(lambda: any(is_wanted(one.playwright.url) for one in self._waiting), seconds):
            message = f"Playwright reported no download within {seconds:g} s"
            raise NotDownloaded(message)
        found = next(one for one in self._waiting if is_wanted(one.playwright.url))
        self._waiting.remove(found)
        return found

    def save(self, download: PageDownload, path: Path, *, size: int = 0, seconds: float = STORED_WITHIN) -> None:
        """Write the file of ``size`` bytes to ``path`` as soon as the browser has stored it.

        Raises NotDownloaded if the browser does not store the file in time, and DiskFullError if there is no space at
        ``path``.
        """
        if not self._wait(lambda: download.state != "running", seconds):
            with contextlib.suppress(PlaywrightError):
                download.playwright.cancel()
            message = f"the browser did not finish the download within {seconds:g} s"
            raise NotDownloaded(message)
        if download.state == "failed":
            raise NotDownloaded(_reason(download.failure, size))
        try:
            download.playwright.save_as(path)
        except PlaywrightError as error:
            if not any(name in error.message for name in _FULL):
                raise NotDownloaded(_reason(error.message, size)) from error
            message = f"No space for the download at {path}: the disk is full. Free some space, and download again."
            raise disk_full(message) from error

    def explain(self, failure: str, asked_at: float, is_wanted: Callable[[str], bool], size: int) -> str:
        """Return the reason why no file of ``size`` bytes arrived from a URL that ``is_wanted`` accepts.

        The reason is what the browser reported. If the browser reported nothing, the reason is ``failure``, which is
        what the caller observed. ``asked_at`` is the time at which the page was asked to download, in seconds on the
        monotonic clock. If the failed download has left a window open, this window is closed.
        """
        self._close_error_windows()
        for one in [one for one in self._waiting if is_wanted(one.playwright.url)]:
            self._waiting.remove(one)
            if one.state == "failed":
                return _reason(one.failure, size)
            with contextlib.suppress(PlaywrightError):
                one.playwright.cancel()
        for at, permission in self._denied:
            if at >= asked_at:
                return f"the page is in a sandboxed frame without {permission}"
        for at, url, refusal in self._refused:
            if at >= asked_at and is_wanted(url):
                return f"the browser could not request the file: {refusal}"
        return failure

    def _close_error_windows(self) -> None:
        for window in self._page.context.pages:
            with contextlib.suppress(PlaywrightError):
                if window.url == _ERROR_PAGE and window.opener() is self._page:
                    window.close()

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Return whether the condition becomes true in time; raises NotDownloaded if the page closes or crashes."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            try:
                self._page.wait_for_timeout(_LOOK_EVERY)
            except PlaywrightError as error:
                message = "the page closed or crashed during the download"
                raise NotDownloaded(message) from error
        return True

    def _on_download(self, download: Download) -> None:
        if not self._is_ours(download.url):
            return
        found = PageDownload(download)
        self._waiting.append(found)
        # Playwright's failure, path and save_as wait for the end of the download without a time limit, so only an event
        # handler can call them without blocking the program.
        try:
            failure = download.failure()
        except PlaywrightError as error:
            failure = error.message
        found.failure = failure or ""
        found.state = "failed" if failure else "complete"

    def _on_request_failed(self, request: Request) -> None:
        if self._is_ours(request.url) and request.failure and request.failure != _BECAME_DOWNLOAD:
            self._refused.append((time.monotonic(), request.url, request.failure))

    def _on_console(self, message: ConsoleMessage) -> None:
        self._denied.extend((time.monotonic(), permission) for permission in _PERMISSIONS if permission in message.text)


def _reason(failure: str, size: int) -> str:
    """Return the reason for a failed download; ``failure`` is Playwright's text."""
    if "accept_downloads" in failure or "acceptDownloads" in failure:
        return "the page's context was created with accept_downloads=False"
    folder = temporary_folder()
    with contextlib.suppress(OSError):
        if free_bytes(folder) < size:
            return (
                f"not enough space for {megabytes(size)} in TMPDIR ({folder}): set TMPDIR to a folder on another disk"
            )
    lines = failure.strip().splitlines()
    return f"the download failed: {lines[0].rstrip('.') if lines else 'no reason given'}"
