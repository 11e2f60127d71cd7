"""Emulate poor network conditions for the WebRTC connections of a page and of its frames."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import Error as PlaywrightError

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Frame, Page

_COMMAND: Final = "Network.emulateNetworkConditionsByRule"


class NetworkEmulation:
    """Network emulation for a page that has not created a peer connection yet; Chrome can't add the emulation later.

    Frames from the page's own site belong to the page's CDP session. A frame from another site has its own process and
    session, and its emulation is prepared as soon as the frame has navigated. Python learns of the navigation only
    during a call to Playwright or to the harness, so the emulation does not affect connections that such a frame
    creates before then.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._frames: dict[Frame, CDPSession] = {}
        self._conditions = _conditions(loss_percent=0.0, latency_ms=0.0, kbps=None)
        self._session = page.context.new_cdp_session(page)
        self._session.send(_COMMAND, self._conditions)
        page.on("framenavigated", self._on_navigated)

    def emulate(self, *, loss_percent: float, latency_ms: float, kbps: float | None) -> None:
        """Set the conditions in both directions; ``kbps`` is the maximum throughput, or None for no maximum.

        Raises PlaywrightError if the page is closed or has crashed.
        """
        self._conditions = _conditions(loss_percent=loss_percent, latency_ms=latency_ms, kbps=kbps)
        self._session.send(_COMMAND, self._conditions)
        for session in self._frames.values():
            # A frame's session ends when the frame is removed.
            with contextlib.suppress(PlaywrightError):
                session.send(_COMMAND, self._conditions)

    def close(self) -> None:
        """End the emulation in the page and its frames."""
        self._page.remove_listener("framenavigated", self._on_navigated)
        self._session.detach()
        for session in self._frames.values():
            with contextlib.suppress(PlaywrightError):
                session.detach()

    def _on_navigated(self, frame: Frame) -> None:
        if frame.parent_frame is None:
            return
        # A frame in the page's own process has no session. A frame that has just been removed can't be reached.
        with contextlib.suppress(PlaywrightError):
            session = self._page.context.new_cdp_session(frame)
            session.send(_COMMAND, self._conditions)
            self._frames[frame] = session


def _conditions(*, loss_percent: float, latency_ms: float, kbps: float | None) -> dict[str, Any]:
    """Return the parameters of Chrome's command for network emulation."""
    # Throughput is in bytes per second; -1 means no limit.
    throughput = -1 if kbps is None else kbps * 1000 / 8
    rule = {
        "urlPattern": "",
        "latency": latency_ms,
        "downloadThroughput": throughput,
        "uploadThroughput": throughput,
        "packetLoss": loss_percent,
        "packetQueueLength": 0,
        "packetReordering": False,
    }
    return {"offline": False, "matchedNetworkConditions": [rule]}
