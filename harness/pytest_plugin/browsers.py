"""Provide the browser in which tests record, and leave the browser of all other tests unchanged.

Input: ``--recordings-browser`` and pytest-playwright's fixtures.  Output: the fixtures ``recording_browser``,
``new_recording_context`` and ``recording_launch_args``.  The plugin registers this module with pytest.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from asyncio import _get_running_loop, _set_running_loop
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import Error as PlaywrightError

from harness.browser.chrome import ARGUMENTS, FAKE_DEVICES, gist, launch_options
from harness.browser.locate import check_folders, locate
from harness.browser.pages.driven_page import require_chromium
from harness.errors import SetupError
from harness.launch import has_camera
from harness.pytest_plugin.options import browser_mode, option_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from playwright.sync_api import Browser, BrowserContext, BrowserType, Playwright

_PLAYWRIGHT_PLUGIN: Final = "pytest_playwright.pytest_playwright"
# The base_url fixture of pytest-playwright 0.10 is a method of a plugin object, about which pytest warns.
_BASE_URL_WARNING: Final = (
    "ignore:Session-scoped fixtures defined as instance methods are deprecated:pytest.PytestRemovedIn10Warning"
)
# Playwright's event loop, which starts when a recording browser is opened.
_LOOP: Final = pytest.StashKey[asyncio.AbstractEventLoop]()


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Prepare a test that uses the recording browser; all other tests are left unchanged."""
    names = getattr(item, "fixturenames", ())
    if "recording_browser" not in names:
        return
    item.add_marker(pytest.mark.filterwarnings(_BASE_URL_WARNING))
    if "new_recording_context" in names:
        _replace_new_context(item)


def _replace_new_context(item: pytest.Item) -> None:
    """Replace pytest-playwright's fixture ``new_context`` with ``new_recording_context``, in this test only.

    The fixtures ``context`` and ``page`` call ``new_context``, so they also use the recording browser, and their pages
    stay open until the room is closed. If the project overrides ``new_context``, its fixture stays in use and calls
    ``new_recording_context``. If the plugin itself defined a fixture ``new_context``, all tests would change.
    """
    info: Any = getattr(item, "_fixtureinfo", None)
    plugin = _playwright_plugin(item.config)
    if info is None or plugin is None or "new_context" not in info.name2fixturedefs:
        return
    definitions = info.name2fixturedefs
    theirs = inspect.unwrap(plugin.new_context)
    ours = definitions["new_recording_context"][-1]
    definitions["new_context"] = [ours if one.func is theirs else one for one in definitions["new_context"]]
    # Now that new_context no longer requires the project's browser, pytest need not launch it for this test.
    info.prune_dependency_tree()


def _playwright_plugin(config: pytest.Config) -> Any:
    """Return pytest-playwright's module, or None if pytest did not load this plugin."""
    module = sys.modules.get(_PLAYWRIGHT_PLUGIN)
    return module if module is not None and config.pluginmanager.is_registered(module) else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test that can't use the recording browser, before pytest sets up the test's fixtures."""
    if "recording_browser" not in getattr(item, "fixturenames", ()):
        return
    if _playwright_plugin(item.config) is None:
        message = (
            "The harness's fixtures need pytest-playwright, which pytest did not load. Run these tests without "
            "'-p no:playwright', and separately from tests that use pytest-playwright-asyncio."
        )
        pytest.fail(message, pytrace=False)
    if inspect.iscoroutinefunction(getattr(item, "function", None)):
        message = "The harness's fixtures are synchronous. Define this test with 'def' instead of 'async def'."
        pytest.fail(message, pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Let a test that does not use Playwright run its own event loop.

    Playwright's event loop stays marked as running between two calls, and asyncio allows only one running loop per
    thread. Without this hook, ``asyncio.run`` and async tests would fail after the first test that uses a room. Tests
    that use Playwright get the mark back, because ``page.expect_popup()`` and similar calls need it.
    """
    loop = item.config.stash.get(_LOOP, None)
    if loop is not None:
        is_needed = loop.is_running() and "playwright" in getattr(item, "fixturenames", ())
        _set_running_loop(loop if is_needed else None)


def _mark_loop_in_calls(loop: asyncio.AbstractEventLoop) -> None:
    """Mark Playwright's event loop as running whenever a Playwright call begins, because other tests clear the mark.

    Most calls begin with a new task. Without the mark, the call fails with "no running event loop".
    """

    def start_task(own_loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        # When Playwright stops, its loop runs once more in the usual way, and marks itself.
        if own_loop.is_running():
            _set_running_loop(own_loop)
        return asyncio.Task(coroutine, loop=own_loop, **options)

    loop.set_task_factory(start_task)


@pytest.fixture(scope="session")
def recording_launch_args(browser_name: str, playwright: Playwright) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return a function that adds the arguments for recording to a browser's launch arguments.

    The given values take precedence. Arguments for Firefox and WebKit are returned unchanged. With
    ``--recordings-browser project``, the project's fixture ``browser_type_launch_args`` must return the function's
    result. The function raises SetupError if no Chrome is found.
    """

    def add_arguments(theirs: Mapping[str, Any]) -> dict[str, Any]:
        if browser_name != "chromium":
            return dict(theirs)
        found = locate(theirs.get("executable_path"), bundled=playwright.chromium.executable_path)
        ours = launch_options(found, fake_devices=not has_camera())
        if "channel" in theirs:
            ours.pop("executable_path", None)
        return {**ours, **theirs, "args": [*ours["args"], *theirs.get("args", ())]}

    return add_arguments


@pytest.fixture(scope="session")
def recording_browser(
    browser_name: str,
    browser_type: BrowserType,
    browser_type_launch_args: dict[str, Any],
    recording_launch_args: Callable[[Mapping[str, Any]], dict[str, Any]],
    request: pytest.FixtureRequest,
) -> Iterator[Browser]:
    """Return the browser in which tests with a room record.

    With ``--recordings-browser own``, the harness launches this browser, or connects to the remote browser that
    ``--room-connect`` specifies. With ``--recordings-browser project``, this is the project's own ``browser``.
    """
    # Browsers other than Chrome are refused before they are launched, because they might not be installed.
    require_chromium(browser_name)
    is_own = browser_mode(request.config) == "own"
    if is_own:
        try:
            check_folders()
            if address := option_value(request.config, "room-connect"):
                browser = _connect(browser_type, address, browser_type_launch_args)
            else:
                launch = request.getfixturevalue("launch_browser")
                browser = _launch(launch, recording_launch_args(browser_type_launch_args))
        except SetupError as error:
            # Without a cause, pytest prints only the message.
            raise pytest.fail.Exception(str(error), pytrace=False) from None
    else:
        if not {*ARGUMENTS} <= {*browser_type_launch_args.get("args", ())}:
            message = (
                "--recordings-browser project: the project's browser lacks the arguments for recording. Return "
                "recording_launch_args(browser_type_launch_args) from the project's fixture browser_type_launch_args."
            )
            pytest.fail(message, pytrace=False)
        browser = request.getfixturevalue("browser")
    loop = _get_running_loop()
    if loop is not None:
        _mark_loop_in_calls(loop)
        request.config.stash[_LOOP] = loop
    yield browser
    if is_own:
        browser.close()


def _launch(launch_browser: Callable[..., Browser], arguments: Mapping[str, Any]) -> Browser:
    try:
        return launch_browser(**arguments)
    except PlaywrightError as error:
        message = f"The browser for recording failed to start: {gist(error)} Run 'harness doctor' for details."
        raise SetupError(message) from error


def _connect(chromium: BrowserType, address: str, theirs: Mapping[str, Any]) -> Browser:
    """Connect to a remote browser, and let it reach the room's server on this machine's loopback interface."""
    arguments = {"channel": "chromium", **theirs, "args": [*ARGUMENTS, *FAKE_DEVICES, *theirs.get("args", ())]}
    headers = {"x-playwright-launch-options": json.dumps(arguments)}
    try:
        return chromium.connect(address, expose_network="<loopback>", headers=headers)
    except PlaywrightError as error:
        message = f"--room-connect: {address} can't be used: {gist(error)}"
        raise SetupError(message) from error


@pytest.fixture
def new_recording_context(
    recording_browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function like pytest-playwright's ``new_context``, but with contexts in the recording browser.

    ``browser_context_args`` and the options ``--tracing``, ``--video`` and ``--screenshot`` also apply to these
    contexts, because pytest-playwright's own code creates them.
    """
    function = inspect.unwrap(_playwright_plugin(request.config).new_context)
    yield from function(
        **{
            name: recording_browser if name == "browser" else request.getfixturevalue(name)
            for name in inspect.signature(function).parameters
        }
    )
