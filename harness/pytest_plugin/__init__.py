"""The pytest plugin: a room in a test, on top of pytest-playwright's browser and contexts."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

from harness.browser.chrome import launch_options
from harness.browser.locate import locate
from harness.browser.pages.driven_page import require_chromium
from harness.errors import ConfigError
from harness.launch import has_camera, versions
from harness.pytest_plugin.artifacts import FAILED, bundles_of, finish, leave
from harness.pytest_plugin.bundle import Bundle
from harness.pytest_plugin.options import MARKER, Asked, add_options, chosen, keep, path_of
from harness.server.room_server import RoomServer
from harness.server.rooms.routes import Routes
from harness.session.room import Room
from harness.verification.values.expectations import Expected, read_expected
from harness.verification.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Playwright

    from harness.recording.recording import Recording
    from harness.session.participant import Participant
    from harness.verification.report.report import Report
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.limits import Limits


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the harness's options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Lay our launch arguments over pytest-playwright's, whichever plugin was loaded first."""
    config.addinivalue_line("markers", MARKER)
    # pytest-playwright 0.10 brings its base_url fixture along as a method of a plugin object; it is nobody's test.
    config.addinivalue_line(
        "filterwarnings",
        "ignore:Session-scoped fixtures defined as instance methods are deprecated:pytest.PytestRemovedIn10Warning",
    )
    keep(config)
    # A fixture of the plugin that registers last wins; a test's own conftest still wins over both.
    config.pluginmanager.register(LaunchLayer(), "recording-harness-launch")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note how the test went for its fixtures, and give the report what the test left."""
    report = yield
    if report.when == "setup":
        item.stash[FAILED] = False
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    if report.when == "teardown":
        finish(item, report, _folder(item.config))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the recordings and all else of each failed test are."""
    bundles = bundles_of(terminalreporter)
    if bundles:
        terminalreporter.section("recordings of failed tests")
        for test, folder in bundles:
            terminalreporter.write_line(f"{test}: {folder}")


class LaunchLayer:
    """How the browser is launched: Chrome where it is found, with what a recording needs."""

    @pytest.fixture(scope="session")
    @staticmethod
    def connect_options(connect_options: dict[str, Any] | None, pytestconfig: pytest.Config) -> dict[str, Any] | None:
        """Return where the browser is, if not on this machine; it sees our loopback, where the room is served."""
        address = chosen(pytestconfig, "room-connect")
        return {"endpoint": address, "expose_network": "<loopback>"} if address else connect_options

    @pytest.fixture(scope="session")
    @staticmethod
    def browser_type_launch_args(
        browser_type_launch_args: dict[str, Any], browser_name: str, playwright: Playwright
    ) -> dict[str, Any]:
        """Return pytest-playwright's launch arguments, and ours beneath whatever was asked for there."""
        if browser_name != "chromium":
            return browser_type_launch_args
        asked = browser_type_launch_args
        found = locate(asked.get("executable_path"), bundled=playwright.chromium.executable_path)
        ours = launch_options(found, fake_devices=not has_camera())
        if "channel" in asked:
            ours.pop("executable_path", None)
        return {**ours, **asked, "args": [*ours["args"], *asked.get("args", ())]}


@pytest.fixture(scope="session")
def recordings(pytestconfig: pytest.Config) -> Path:
    """Return the folder for finished recordings; it survives pytest-playwright's ``--output``."""
    return _folder(pytestconfig)


def _folder(config: pytest.Config) -> Path:
    return path_of(config, "recordings") or config.rootpath / "recordings"


@pytest.fixture(scope="session")
def verify_recording(pytestconfig: pytest.Config) -> Callable[..., Report]:
    """Return ``verify`` with the limits and expectations of ``--recordings-expect``; what a test says itself wins."""
    path = path_of(pytestconfig, "recordings-expect")
    expected = read_expected(path) if path else Expected()

    def judge(
        recording: Recording | Path | str,
        *,
        duration: float | None = None,
        limits: Limits | None = None,
        expect: Sequence[Expectation] = (),
        complete: bool = False,
    ) -> Report:
        return verify(
            recording,
            duration=expected.duration if duration is None else duration,
            limits=limits or expected.limits,
            expect=(*expected.expect, *expect),
            complete=complete or expected.complete,
        )

    return judge


@pytest.fixture(scope="session")
def room_server(browser_name: str, recordings: Path, request: pytest.FixtureRequest) -> Iterator[RoomServer]:
    """Return the server that serves the page and takes recordings in, one for the whole session."""
    # Another browser than Chrome is refused before it is launched, which it may not even be able to.
    require_chromium(browser_name)
    browser: Browser = request.getfixturevalue("browser")
    routes = Routes.parse(sfu=chosen(request.config, "room-sfu"))
    with RoomServer(recordings=recordings, versions=versions(browser.version), routes=routes) as server:
        yield server


@pytest.fixture
def attach(room: Room) -> Callable[..., Participant]:
    """Return a function that follows somebody else's page, before it loads: ``attach(page, "alice")``."""
    return room.attach


@pytest.fixture
def room(
    room_server: RoomServer,
    new_context: Callable[..., BrowserContext],
    recordings: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Room]:
    """Return a room of this test's own, with whom its marker ``room`` lets in; all are out when the test ends.

    What they recorded is kept, as ``--recordings-keep`` says. Where the test fails a folder of its own holds that
    together with reports, screenshots, consoles and a timeline.
    """
    try:
        asked = Asked.of(request.node)
    except ConfigError as error:
        pytest.fail(str(error), pytrace=False)
    opened = Room(
        server=room_server,
        new_context=new_context,
        recordings=recordings,
        name=secrets.token_urlsafe(16),
        record_config=asked.config,
    )
    bundle = None
    try:
        with opened:
            try:
                if asked.names:
                    opened.join_all(*asked.names, media=asked.media)
                yield opened
            except BaseException:
                # Nobody came, or not all: that is a failure before the test.
                request.node.stash[FAILED] = True
                raise
            finally:
                if request.node.stash.get(FAILED, False):
                    bundle = Bundle(recordings, request.node.nodeid)
                    bundle.look(opened)
    finally:
        leave(request.node, opened.recordings, bundle)
