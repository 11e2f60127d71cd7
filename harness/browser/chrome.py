"""Chrome: one running browser, from launch to close."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import threading
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

from harness.browser.driver import driver_problem
from harness.browser.locate import Browser, locate, sandbox_works
from harness.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from playwright.sync_api import Browser as PlaywrightBrowser
    from playwright.sync_api import BrowserContext, Playwright

_log = logging.getLogger(__name__)

# The most, in MB, that each half of V8's young generation may take; left alone it grows to 16, and holds no more.
_YOUNG: Final = "--max-semi-space-size=2"
# Chrome heeds the last --disable-features alone, so what Playwright turns off has to be turned off here, too.
_PLAYWRIGHTS: Final = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "TcpPortRandomizationWin",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
    "msForceBrowserSignIn",
    "msEdgeUpdateLaunchServicesPreferredVersion",
)
# The popups of the address bar are pages in a process of their own, for each context, which nobody sees.
_POPUPS: Final = ("WebUIOmniboxAimPopup", "WebUIOmniboxPopup")
ARGUMENTS: Final = (
    # Chrome fact 6: an AudioContext that nobody clicked for starts suspended, and the recording stays empty.
    "--autoplay-policy=no-user-gesture-required",
    # Chrome fact 24: connections ignore loopback, which is the only interface in many containers.
    "--allow-loopback-in-peer-connection",
    "--hide-crash-restore-bubble",
    # Chrome fact 32: only isolated pages, as ours is, have memory that threads share; here somebody else's has it, too.
    "--enable-blink-features=UnrestrictedSharedArrayBuffer",
    # Chrome fact 34: chunks that were sent stay in memory until garbage is collected, which the page asks for.
    f"--js-flags=--expose-gc {_YOUNG}",
    "--no-first-run",
    f"--disable-features={','.join([*_PLAYWRIGHTS, *_POPUPS])}",
)
FAKE_DEVICES: Final = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

# Playwright's driver ignores SIGINT alone. Node unblocks every signal when it starts, so a mask is no help.
_DEAF: Final = "--import=data:text/javascript," + quote(
    "for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});"
)
_DRIVER: Final = f"{_DEAF} {_YOUNG}"
_environment_lock = threading.Lock()


def launch_options(
    browser: Browser, *, headed: bool = False, fake_devices: bool = False, sandbox: bool | None = None
) -> dict[str, Any]:
    """Return the keyword arguments for Playwright's ``chromium.launch``.

    ``headed`` shows a window; ``fake_devices`` gives pages Chrome's own test picture and beep for a camera and a
    microphone. ``sandbox`` None has it on where it can start, which takes a start to find out (once in a program,
    under a second). Where it is off, one warning says so.
    """
    if sandbox is None:
        sandbox = sandbox_works(browser.executable)
    if not sandbox:
        _warn_of_no_sandbox()
    options: dict[str, Any] = {
        "headless": not headed,
        "args": [*ARGUMENTS, *(FAKE_DEVICES if fake_devices else ())],
        "chromium_sandbox": sandbox,
        # Whoever holds the browser closes it: an interrupted recording is finished first.
        "handle_sigint": False,
        "handle_sigterm": False,
        "handle_sighup": False,
    }
    if browser.channel is not None:
        return {**options, "channel": browser.channel}
    return {**options, "executable_path": str(browser.executable)}


@functools.cache
def _warn_of_no_sandbox() -> None:
    """Say so, once in the life of the program."""
    if os.geteuid() == 0:
        reason, remedy = "root can't start it", "run as another user"
    else:
        reason, remedy = (
            "it can't start on this machine",
            "let users have namespaces (kernel.unprivileged_userns_clone)",
        )
    _log.warning("Chrome runs without its sandbox: %s. Open only pages that you trust, or %s.", reason, remedy)


@contextlib.contextmanager
def steady_driver() -> Iterator[None]:
    """Let a Playwright driver that starts meanwhile ignore SIGINT, SIGTERM and SIGHUP, and stay small.

    A terminal, or a supervisor, signals the whole process group. Python decides what happens then; the driver ends
    when Python closes it or dies, and takes Chrome along, which runs in a group of its own.
    """
    with _environment_lock:
        before = os.environ.get("NODE_OPTIONS")
        os.environ["NODE_OPTIONS"] = f"{before} {_DRIVER}" if before else _DRIVER
        try:
            yield
        finally:
            if before is None:
                del os.environ["NODE_OPTIONS"]
            else:
                os.environ["NODE_OPTIONS"] = before


class Chrome:
    """A Chrome of our own, launched by ``with`` and closed at its end; closing twice is fine.

    ``executable`` is a program to use instead of the usual ones (see ``locate``), ``headed`` shows a window and
    ``fake_devices`` gives pages Chrome's test camera and microphone. ``found`` is the browser that was found. It
    belongs to the thread that opened it.

    Raises SetupError where there is no browser, or it does not start.
    """

    found: Browser

    def __init__(
        self, executable: str | os.PathLike[str] | None = None, *, headed: bool = False, fake_devices: bool = False
    ) -> None:
        self._executable = executable
        self._headed = headed
        self._fake_devices = fake_devices
        self._state: Literal["new", "open", "closed"] = "new"
        self._playwright: Playwright
        self._browser: PlaywrightBrowser

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Find the browser and launch it."""
        self._playwright = start_playwright()
        try:
            self.found = locate(self._executable, bundled=self._playwright.chromium.executable_path)
            self._browser = self._launch()
        except BaseException:
            self._playwright.stop()
            raise
        self._state = "open"

    def _launch(self) -> PlaywrightBrowser:
        launch = self._playwright.chromium.launch
        options = functools.partial(launch_options, self.found, headed=self._headed, fake_devices=self._fake_devices)
        if os.geteuid() != 0:
            # Most often the sandbox works; asking first would cost another start of the browser.
            with contextlib.suppress(PlaywrightError):
                return launch(**options(sandbox=True))
        try:
            return launch(**options())
        except PlaywrightError as error:
            message = (
                f"{self.found.executable} ({self.found.how_found}) does not start: {gist(error)} "
                "'harness doctor' says more; another browser can be named with --executable PATH or in CHROME_PATH."
            )
            raise SetupError(message) from error

    def close(self) -> None:
        """Close every page and context, the browser and Playwright's driver."""
        if self._state != "open":
            return
        self._state = "closed"
        try:
            # A browser that crashed, or whose driver died, is closed already.
            with contextlib.suppress(PlaywrightError):
                self._browser.close()
        finally:
            self._playwright.stop()

    def new_context(self, **options: Any) -> BrowserContext:
        """Return a fresh browser context, Playwright's ``new_context``; it closes with the browser at the latest."""
        return self._browser.new_context(**options)

    @property
    def version(self) -> str:
        """The running browser's version, like ``156.0.8078.79``."""
        return self._browser.version

    @property
    def playwright_version(self) -> str:
        """The version of Playwright, like ``1.65.2``."""
        return metadata.version("playwright")


def start_playwright() -> Playwright:
    """Start Playwright's driver, deaf to signals; raises SetupError where it can't."""
    try:
        with steady_driver():
            return sync_playwright().start()
    except PlaywrightError as error:
        if "asyncio loop" in str(error):
            message = (
                "The harness is synchronous, and this thread runs an asyncio loop: call it in a thread of its own "
                "(loop.run_in_executor with an executor of one thread)."
            )
        else:
            message = (
                f"Playwright does not start: {gist(error)} Install it again: pip install --force-reinstall playwright"
            )
        raise SetupError(message) from error
    except Exception as error:
        # Playwright raises a bare Exception where its driver ends at once.
        if problem := driver_problem():
            raise SetupError(str(problem)) from error
        raise


def gist(error: PlaywrightError) -> str:
    """Return the first line of Playwright's message, and the browser's own last words where it quotes them."""
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    words = [line.partition("[err] ")[2] for line in lines if "[err] " in line]
    first = (
        lines[0].removeprefix("BrowserType.launch: ").removeprefix("BrowserType.connect: ")
        if lines
        else "no reason given"
    )
    return " / ".join(dict.fromkeys([first, *words[-2:]])).rstrip(".") + "."
