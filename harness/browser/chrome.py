"""The class Chrome controls one running browser, from launch to close."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

from harness.browser.driver import driver_problem
from harness.browser.locate import Browser, browser_environment, check_folders, locate, sandbox_works
from harness.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from playwright.sync_api import Browser as PlaywrightBrowser
    from playwright.sync_api import BrowserContext, Playwright

_log = logging.getLogger(__name__)

# Maximum size, in MB, of each half of V8's young generation. Our pages gain nothing from the default of 16 MB.
_YOUNG: Final = "--max-semi-space-size=2"
# Chrome applies only the last --disable-features switch, so this list repeats the features that Playwright disables.
_PLAYWRIGHT_FEATURES: Final = (
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
# The address bar's popups are invisible pages that use one process per context.
_POPUP_FEATURES: Final = ("WebUIOmniboxAimPopup", "WebUIOmniboxPopup")
ARGUMENTS: Final = (
    # Chrome fact 6: if the user has not clicked, an AudioContext starts suspended, and the recording stays empty.
    "--autoplay-policy=no-user-gesture-required",
    # Chrome fact 24: peer connections ignore loopback by default, but many containers have no other interface.
    "--allow-loopback-in-peer-connection",
    "--hide-crash-restore-bubble",
    # Chrome fact 32: by default, only cross-origin isolated pages have shared memory. Our page is isolated; other
    # applications' pages are not.
    "--enable-blink-features=UnrestrictedSharedArrayBuffer",
    # Chrome fact 34: sent chunks stay in memory until garbage collection runs, so the page triggers it.
    f"--js-flags=--expose-gc {_YOUNG}",
    "--no-first-run",
    f"--disable-features={','.join([*_PLAYWRIGHT_FEATURES, *_POPUP_FEATURES])}",
)
FAKE_DEVICES: Final = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

# By default, Playwright's driver ignores only SIGINT. A signal mask can't block the other signals, because Node
# unblocks all signals at startup.
_IGNORE_SIGNALS: Final = "--import=data:text/javascript," + quote(
    "for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});"
)
_DRIVER: Final = f"{_IGNORE_SIGNALS} {_YOUNG}"
# The driver and Chrome use the proxy in variables such as HTTP_PROXY, but must reach this machine without it.
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1", "[::1]")
_environment_lock = threading.Lock()


def launch_options(
    browser: Browser, *, headed: bool = False, fake_devices: bool = False, sandbox: bool | None = None
) -> dict[str, Any]:
    """Return the keyword arguments for Playwright's ``chromium.launch``.

    If ``headed`` is true, Chrome shows a window. If ``fake_devices`` is true, Chrome's own test video and beep replace
    the camera and microphone. If ``sandbox`` is None, the sandbox is enabled only if a test shows that it works; the
    test runs once per process and takes less than a second. A warning is logged once if the sandbox is disabled. The
    option ``env`` is set only if Chrome can't store its own files in HOME.
    """
    if sandbox is None:
        sandbox = sandbox_works(browser.executable)
    if not sandbox:
        _warn_of_missing_sandbox()
    options: dict[str, Any] = {
        "headless": not headed,
        "args": [*ARGUMENTS, *(FAKE_DEVICES if fake_devices else ())],
        "chromium_sandbox": sandbox,
        # Playwright must not handle these signals, because the harness finishes an interrupted recording before it
        # closes the browser.
        "handle_sigint": False,
        "handle_sigterm": False,
        "handle_sighup": False,
    }
    environment = browser_environment()
    if environment is not None:
        options["env"] = environment
    if browser.channel is not None:
        return {**options, "channel": browser.channel}
    return {**options, "executable_path": str(browser.executable)}


@functools.cache
def _warn_of_missing_sandbox() -> None:
    """Log once per process why Chrome runs without its sandbox."""
    if os.geteuid() == 0:
        reason, remedy = "the root user can't use the sandbox", "run as another user"
    else:
        reason, remedy = (
            "the sandbox does not work on this machine",
            "allow user namespaces (kernel.unprivileged_userns_clone)",
        )
    _log.warning("Chrome is running without its sandbox: %s. Open only pages that you trust, or %s.", reason, remedy)


@contextlib.contextmanager
def steady_driver() -> Iterator[None]:
    """Prepare the environment of Playwright drivers started in the ``with`` block: signals, memory and proxies.

    The drivers ignore SIGINT, SIGTERM and SIGHUP, and use less memory.

    A terminal or supervisor sends signals to the whole process group, but only the Python process should respond to
    them. When the Python process closes the driver or crashes, the driver terminates Chrome and exits. Chrome runs in a
    separate process group, so signals to the Python process's group do not reach it.

    For addresses on this machine, the driver does not use the proxy that the environment specifies.
    """
    with _environment_lock:
        node_options = os.environ.get("NODE_OPTIONS")
        changes = {
            "NODE_OPTIONS": f"{node_options} {_DRIVER}" if node_options else _DRIVER,
            # The lowercase variable takes precedence.
            "no_proxy": _with_loopback(os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""),
        }
        before = {name: os.environ.get(name) for name in changes}
        os.environ.update(changes)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _with_loopback(no_proxy: str) -> str:
    """Add this machine's loopback addresses to a list of hosts that are reached without a proxy."""
    # An asterisk means all hosts only if it is the whole list.
    return no_proxy if no_proxy == "*" else ",".join(filter(None, (no_proxy, *_LOOPBACK)))


class Chrome:
    """A context manager that launches Chrome on entry and closes it on exit; ``close`` can be called twice.

    ``executable`` is a program to use instead of the default browsers (see ``locate``). ``headed`` shows a window.
    ``fake_devices`` provides Chrome's test camera and microphone. ``found`` is the browser that was launched. A
    ``Chrome`` object may be used only in the thread that opened it.

    Raises SetupError if no browser is found, if the browser does not start, or if it can't use the folder for temporary
    files.
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
        check_folders()
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
            # Try the sandbox without testing it first: it usually works, and the test would start the browser once
            # more.
            with contextlib.suppress(PlaywrightError):
                return launch(**options(sandbox=True))
        try:
            return launch(**options())
        except PlaywrightError as error:
            message = (
                f"{self.found.executable} ({self.found.how_found}) failed to start: {gist(error)} "
                "Run 'harness doctor' for details, or choose another browser with --executable PATH or CHROME_PATH."
            )
            raise SetupError(message) from error

    def close(self) -> None:
        """Close all pages and contexts, the browser and Playwright's driver."""
        if self._state != "open":
            return
        self._state = "closed"
        try:
            # If the browser or its driver crashed, the browser is already closed.
            with contextlib.suppress(PlaywrightError):
                self._browser.close()
        finally:
            self._playwright.stop()

    def new_context(self, **options: Any) -> BrowserContext:
        """Return a new browser context (Playwright's ``new_context``), which is closed together with the browser."""
        return self._browser.new_context(**options)

    @property
    def version(self) -> str:
        """The running browser's version, for example ``156.0.8078.79``."""
        return self._browser.version


def start_playwright() -> Playwright:
    """Start Playwright's driver so that it ignores signals; raises SetupError if the driver does not start."""
    try:
        with steady_driver():
            return sync_playwright().start()
    except PlaywrightError as error:
        if "asyncio loop" in str(error):
            message = (
                "The harness is synchronous, but this thread is running an asyncio event loop. Call the harness from a "
                "separate thread (loop.run_in_executor with a single-threaded executor)."
            )
        else:
            message = (
                f"Playwright failed to start: {gist(error)} Reinstall it: pip install --force-reinstall playwright"
            )
        raise SetupError(message) from error
    except Exception as error:
        # Playwright raises a plain Exception if its driver exits immediately.
        if problem := driver_problem():
            raise SetupError(str(problem)) from error
        raise


def gist(error: PlaywrightError) -> str:
    """Return the first line of Playwright's message, and the last two lines of any stderr output that it contains."""
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    last_lines = [line.partition("[err] ")[2] for line in lines if "[err] " in line]
    first = (
        lines[0].removeprefix("BrowserType.launch: ").removeprefix("BrowserType.connect: ")
        if lines
        else "no reason given"
    )
    return " / ".join(dict.fromkeys([first, *last_lines[-2:]])).rstrip(".") + "."
