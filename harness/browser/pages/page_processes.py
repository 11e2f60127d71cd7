"""Ask Chrome which processes run a page. Its tracing is the only interface that names them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Every trace with this category begins with an event that lists all frames of the page.
_CATEGORY: Final = "disabled-by-default-devtools.timeline"
_FIRST_EVENT: Final = "TracingStartedInBrowser"
# Large enough for the first event, whatever other processes write into the buffer before it.
_BUFFER_KB: Final = 8192
_WITHIN: Final = 2.0
_POLL_MS: Final = 5


def page_processes(page: Page) -> frozenset[int]:
    """Return the IDs of the renderer processes that run a page and its frames, on the browser's machine.

    Takes about 0.1 s, and longer on a busy machine. The result is empty if Chrome does not finish the trace within 2 s.

    Raises Playwright's Error if the page is closed or has crashed, or if the browser is already being traced.
    """
    session = page.context.new_cdp_session(page)
    events: list[dict[str, Any]] = []
    ended: list[object] = []
    session.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    # Playwright sets an attribute on the function, so it can't be a built-in method.
    session.on("Tracing.tracingComplete", lambda result: ended.append(result))  # noqa: PLW0108
    try:
        config = {
            "recordMode": "recordUntilFull",
            "traceBufferSizeInKb": _BUFFER_KB,
            "includedCategories": [_CATEGORY],
            "excludedCategories": ["*"],
        }
        session.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": config})
        session.send("Tracing.end")
        deadline = time.monotonic() + _WITHIN
        while not ended and time.monotonic() < deadline:
            page.wait_for_timeout(_POLL_MS)
    finally:
        session.detach()
    frames = [frame for event in events if event["name"] == _FIRST_EVENT for frame in event["args"]["data"]["frames"]]
    return frozenset(frame["processId"] for frame in frames if "processId" in frame)
