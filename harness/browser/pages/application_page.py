"""ApplicationPage is the page object for another application whose calls the harness records (see attach.js)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Error as PlaywrightError

from harness.browser.pages.driven_page import DrivenPage, require_chromium_context
from harness.browser.pages.page_processes import page_processes
from harness.browser.pages.server_access import ServerAccess
from harness.errors import ConfigError, InvalidStateError, PageError, SetupError, not_supported

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import CDPSession, Frame, Page

# JavaScript that returns how many of the frame's peer connections have media, whether the frame is awake, whether it is
# sandboxed, and whether the page's own scripts are disabled. A frame is awake once it has loaded our modules
# (hooks.js). The result is null if the frame can't be recorded.
_FRAME_STATE: Final = """() => {
  const hooks = isSecureContext && window[Symbol.for('recording-harness')];
  if (!hooks) return null;
  const connections = [...hooks.connections].filter((one) => one.getTransceivers().length > 0).length;
  const scriptless = matchMedia('(scripting: none)').matches;
  return { connections, awake: hooks.isAwake, sandboxed: window.origin === 'null', scriptless };
}"""
# This permission lets a page access servers on this machine, but not the rest of the local network.
_PERMISSION: Final = "loopback-network"
# The page calls this binding before it connects to our server (hooks.js).
_REACH_BINDING: Final = "harnessMayReach"
# The page calls this binding if Chrome blocks audio until the user interacts with the page (hooks.js).
_ACTIVATE_BINDING: Final = "harnessActivate"
_OK: Final = 200


class ApplicationPage(DrivenPage):
    """A page of another application. The harness's hooks are installed before the page loads.

    If ``owned`` is true, ``close`` closes the page and its context; otherwise, ``close`` leaves the page open. ``url``
    is the URL of the harness's server. ``script`` runs in each of the page's frames before any other script. The page's
    content security policy is bypassed. When the page first needs the harness's server, the page's origin is permitted
    to access servers on this machine. ``emulate_network`` prepares the page for later network emulation.

    Raises ConfigError if the page's URL is not about:blank, NotSupportedError if the browser is not Chromium, and
    SetupError if the browser can't reach the harness's server.
    """

    _driven = "await window[Symbol.for('recording-harness')].wake()"

    def __init__(
        self, page: Page, url: str, script: str, *, owned: bool = False, emulate_network: bool = False
    ) -> None:
        require_chromium_context(page.context)
        if page.url != "about:blank":
            message = (
                f"The page has already loaded {page.url}: attach to a page before it loads anything, "
                "so that nothing is missed."
            )
            raise ConfigError(message)
        session = page.context.new_cdp_session(page)
        _check_reachable(session, url)
        super().__init__(page, url)
        self._session = session
        self._owned = owned
        # The origin that has permission to access this machine while the page is attached.
        self._origin: str | None = None
        self._access = ServerAccess(page, url)
        # This setting has the same effect as the context's bypass_csp, which the context's owner may not have set. The
        # setting is undone when the session ends.
        session.send("Page.setBypassCSP", {"enabled": True})
        # Chrome slows down a page in a background tab. Playwright prevents the slowdown, except after connect_over_cdp
        # with no_defaults.
        session.send("Emulation.setFocusEmulationEnabled", {"enabled": True})
        reach = page.expose_binding(_REACH_BINDING, lambda _: self._permit_origin())
        # Chrome fact 47: a script that Playwright evaluates counts as a user action.
        activate = page.expose_binding(_ACTIVATE_BINDING, lambda source: source["frame"].evaluate("0"))
        init_script = page.add_init_script(script)
        self._undo: list[Callable[[], None]] = [
            init_script.close,
            session.detach,
            reach.close,
            activate.close,
            self._remove_listeners,
            self._access.close,
        ]
        if emulate_network:
            self._undo.append(self._prepare_network().close)

    def begin(self, name: str, argument: object = None) -> Callable[[], Any]:
        """Call a function in the call's frame.

        If no frame has loaded the harness's code, ``leave`` does nothing, and ``getCounterZero`` returns None.
        """
        if name in {"leave", "getCounterZero"} and not any(state["awake"] for state, _ in self._frames()):
            return lambda: None
        # If somebody has called grant_permissions since the page was attached, Playwright has denied all permissions
        # that were not named in that call.
        self._set_permission("granted")
        if name in {"startMediaRecording", "startObservation"}:
            self._refuse_sandboxed_call()
        try:
            return super().begin(name, argument)
        except PageError as error:
            message = self._access.describe(self._ready(), str(error))
            if message is None:
                raise
            raise not_supported(message, page_log=list(self.log)) from error

    def renderers(self) -> frozenset[int]:
        """Return the process IDs of the renderers of the page and its frames, on the browser's machine.

        The result is empty if the page is closed, has crashed or has been detached, or if another program traces the
        browser.
        """
        with contextlib.suppress(PlaywrightError):
            if self._undo:
                return page_processes(self.page)
        return frozenset()

    def close(self) -> None:
        """Detach from the page; if the page stays open, the harness's hooks remain in it until it reloads.

        ``close`` can be called twice.
        """
        undo, self._undo = self._undo, []
        if self._owned and not self.page.is_closed():
            self._guard(self.page.context.close)
        elif undo and not self.page.is_closed():
            self._set_permission("prompt")
            # A crashed page does not respond, and if a page is closing, there is nothing left to undo.
            with contextlib.suppress(PlaywrightError):
                for step in undo if self.alive else ():
                    step()

    def _permit_origin(self) -> None:
        """Allow the page's current origin to access this machine from all frames; the previous origin loses access."""
        parts = urlsplit(self.page.url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if origin != self._origin:
            self._set_permission("prompt")
            self._origin = origin
        self._set_permission("granted")

    def _set_permission(self, setting: str) -> None:
        if self._origin is None:
            return
        try:
            self._allow(_PERMISSION, origin=self._origin, setting=setting)
        except PlaywrightError as error:
            # Versions of Chrome that do not need this permission do not know its name.
            self.log.append(f"no permission {_PERMISSION} for {self._origin}: {error.message.splitlines()[0]}")
            self._origin = None

    def _refuse_sandboxed_call(self) -> None:
        """Raise InvalidStateError if the page has no call and a sandboxed frame may be the reason."""
        frames = self._frames()
        if any(state["connections"] for state, _ in frames):
            return
        for state, frame in frames:
            if state["sandboxed"]:
                message = (
                    f"This page is not in a call: there is no WebRTC connection yet. The page's iframe {frame.url} "
                    "is sandboxed, which prevents most calls: add allow-same-origin to its sandbox attribute."
                )
                raise InvalidStateError(message, page_log=list(self.log))

    def _ready(self) -> Frame:
        """Return the call's frame: the one with the most connections, preferably one with the harness's code."""
        self._guard(lambda: self.page.wait_for_load_state("domcontentloaded"))
        found = self._frames()
        if any(state["scriptless"] for state, _ in found):
            reason = "JavaScript is disabled. Create the page's context without java_script_enabled=False."
        elif not found:
            reason = (
                "none of the page's frames can use WebRTC. The page must be loaded over https or from localhost, and "
                "not in a sandboxed frame."
            )
        else:
            return _call_frame(found)
        message = f"Nothing can be recorded at {self.page.url}: {reason}"
        raise not_supported(message)

    def _frames(self) -> list[tuple[dict[str, Any], Frame]]:
        """Return each frame that can use WebRTC, its connection count and whether it has loaded the harness's code."""
        found = []
        for frame in self.page.frames:
            # Skip frames that are being removed.
            with contextlib.suppress(PlaywrightError):
                state = frame.evaluate(_FRAME_STATE)
                if state is not None:
                    found.append((state, frame))
        return found


def _call_frame(frames: list[tuple[dict[str, Any], Frame]]) -> Frame:
    """Return the frame with the most connections, preferably one with the harness's code; see ``_frames``."""
    return max(frames, key=lambda one: (one[0]["connections"] > 0, one[0]["awake"], one[0]["connections"]))[1]


def _check_reachable(session: CDPSession, url: str) -> None:
    """Raise SetupError unless the browser can reach our server; ``session`` belongs to one of the browser's pages."""
    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    options = {"disableCache": True, "includeCredentials": False}
    # Chrome fact 48: neither Playwright's routes nor a page's permissions affect this request.
    answer = session.send(
        "Network.loadNetworkResource", {"frameId": frame, "url": f"{url}/healthz", "options": options}
    )["resource"]
    status = answer.get("httpStatusCode")
    # The server does not let other sites use the response. Chrome blocks the response only after receiving it, so a
    # blocked response also shows that the server is reachable.
    if status == _OK or answer.get("netErrorName") == "net::ERR_BLOCKED_BY_RESPONSE":
        return
    session.detach()
    reason = f"HTTP status {status}" if status else answer.get("netErrorName", "no reason given")
    if "PROXY" in reason or "TUNNEL" in reason:
        remedy = (
            "Add 127.0.0.1 to the addresses that bypass the browser's proxy, for example: "
            '"proxy": {"server": ..., "bypass": "127.0.0.1"}.'
        )
    else:
        remedy = (
            "If the browser runs on another machine or in a container, start 'playwright run-server --unsafe' there, "
            'and use chromium.connect(address, expose_network="<loopback>") instead of connect_over_cdp.'
        )
    message = f"The browser can't reach the harness's server at {url} ({reason}). {remedy}"
    raise SetupError(message)
