"""Provide rooms for tests, in browser contexts that pytest-playwright manages.

Input: pytest's options, the ``room`` marker and pytest-playwright's fixtures.  Output: the fixtures ``room``,
``attach``, ``verify_recording`` and ``recordings``, and artifacts for every failed test.  Called by pytest.

pytest loads this plugin in every run, so the server and the verification are imported only when a test needs them.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from harness.browser.proxy import bypass_proxy
from harness.errors import ConfigError
from harness.launch import versions
from harness.pytest_plugin import browsers
from harness.pytest_plugin.artifacts import FAILED, bundles_of, finish_artifacts, store_artifacts
from harness.pytest_plugin.options import (
    MARKER,
    RoomRequest,
    add_options,
    browser_mode,
    keep_mode,
    option_path,
    option_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path
    from typing import Unpack

    from playwright.sync_api import Browser, BrowserContext

    from harness.recording.recording import Recording
    from harness.server.room_server import RoomServer
    from harness.session.participant import Participant
    from harness.session.room import Room
    from harness.verification.report.report import Report
    from harness.verification.verify import VerifyOptions


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the harness's options to pytest."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and the fixtures for the browser; raise pytest.UsageError for invalid options."""
    config.addinivalue_line("markers", MARKER)
    keep_mode(config)
    browser_mode(config)
    config.pluginmanager.register(browsers, "recording-harness-browsers")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make the test's result available to the test's fixtures, and add the test's artifacts to the report."""
    report = yield
    if report.when == "setup":
        item.stash[FAILED] = False
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    if report.when == "teardown":
        finish_artifacts(item, report, _folder(item.config))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print where the artifacts of each failed test are stored."""
    bundles = bundles_of(terminalreporter)
    if bundles:
        terminalreporter.section("recordings of failed tests")
        for test, folder in bundles:
            terminalreporter.write_line(f"{test}: {folder}")


@pytest.fixture(scope="session")
def recordings(pytestconfig: pytest.Config) -> Path:
    """Return the folder for finished recordings; pytest-playwright never clears it, unlike the ``--output`` folder."""
    return _folder(pytestconfig)


def _folder(config: pytest.Config) -> Path:
    return option_path(config, "recordings") or config.rootpath / "recordings"


@pytest.fixture(scope="session")
def verify_recording(pytestconfig: pytest.Config) -> Callable[..., Report]:
    """Return ``verify`` with the limits and expectations from the ``--recordings-expect`` file.

    If a test passes a duration, limits or a profile, these override the values in the ``--recordings-expect`` file.
    Expectations that a test passes are added to those in the file.
    """
    from harness.verification.values.expectations import Expected, read_expected
    from harness.verification.verify import verify

    path = option_path(pytestconfig, "recordings-expect")
    defaults = read_expected(path) if path else Expected()
    profile = defaults.chosen_profile()

    def verify_with_defaults(recording: Recording | Path | str, **options: Unpack[VerifyOptions]) -> Report:
        duration = options.get("duration")
        chosen: VerifyOptions = {
            **options,
            "duration": defaults.duration if duration is None else duration,
            "expect": (*defaults.expect, *options.get("expect", ())),
            "complete": options.get("complete", False) or defaults.complete,
        }
        if options.get("limits") is None and options.get("profile") is None:
            chosen |= {"limits": profile.limits, "profile": profile.name}
        return verify(recording, **chosen)

    return verify_with_defaults


@pytest.fixture(scope="session")
def room_server(recording_browser: Browser, recordings: Path, pytestconfig: pytest.Config) -> Iterator[RoomServer]:
    """Return the server that serves the page and receives recordings; all tests in a session share it."""
    from harness.server.room_server import RoomServer
    from harness.server.rooms.routes import Routes
    from harness.server.serve_options import ServeOptions

    routes = Routes.parse(sfu=option_value(pytestconfig, "room-sfu"))
    options = ServeOptions(routes=routes, local_browsers=option_value(pytestconfig, "room-connect") is None)
    with RoomServer(recordings=recordings, versions=versions(recording_browser.version), options=options) as server:
        yield server


@pytest.fixture
def attach(room: Room) -> Callable[..., Participant]:
    """Return a function that attaches to a page before it loads, for example ``attach(page, "alice")``."""
    return room.attach


@pytest.fixture
def room(
    room_server: RoomServer,
    new_recording_context: Callable[..., BrowserContext],
    recordings: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Room]:
    """Return a room for this test.

    The participants named in the ``room`` marker join the room before the test starts, and leave when the test ends.
    ``--recordings-keep`` specifies whether their recordings are kept. If the test fails, the recordings are stored in a
    folder together with reports, screenshots, console logs and a timeline.
    """
    from harness.session.room import Room

    options = ("browser_context_args", "browser_type_launch_args")
    proxy = next(filter(None, (request.getfixturevalue(one).get("proxy") for one in options)), None)
    try:
        requested = RoomRequest.of(request.node)
    except ConfigError as error:
        pytest.fail(str(error), pytrace=False)
    opened = Room(
        server=room_server,
        new_context=lambda **options: new_recording_context(**bypass_proxy(options, room_server.url, proxy)),
        recordings=recordings,
        name=secrets.token_urlsafe(16),
        record_config=requested.config,
    )
    bundle = None
    try:
        with opened:
            try:
                if requested.names:
                    opened.join_all(*requested.names, media=requested.media)
                yield opened
            except BaseException:
                # If a participant can't join, the test fails before it begins.
                request.node.stash[FAILED] = True
                raise
            finally:
                if request.node.stash.get(FAILED, False):
                    from harness.pytest_plugin.bundle import Bundle

                    bundle = Bundle(recordings, request.node.nodeid)
                    bundle.capture_pages(opened)
    finally:
        store_artifacts(request.node, opened, bundle)
