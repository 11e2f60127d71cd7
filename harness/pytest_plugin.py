"""The pytest plugin: a room in a test, on top of pytest-playwright's browser and contexts."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.browser.chrome import launch_options
from harness.browser.locate import locate
from harness.browser.room_page import chrome_only
from harness.launch import has_camera, versions
from harness.server.room_server import RoomServer
from harness.session.room import Room
from harness.verification.expectations import Expected, read_expected
from harness.verification.verdict import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser, BrowserContext, Playwright

    from harness.recording.recording import Recording
    from harness.verification.expectations import Expectation
    from harness.verification.limits import Limits
    from harness.verification.report import Report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the harness's options."""
    group = parser.getgroup("recording-harness", "Recording rooms")
    group.addoption(
        "--recordings",
        metavar="DIR",
        default=None,
        help="Folder for finished recordings; 'recordings' in the root directory by default.",
    )
    group.addoption(
        "--recordings-expect",
        metavar="FILE",
        default=None,
        help="What the fixture verify_recording asks of every recording: a TOML file as for 'harness verify --expect'.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Lay our launch arguments over pytest-playwright's, whichever plugin was loaded first."""
    # A fixture of the plugin that registers last wins; a test's own conftest still wins over both.
    config.pluginmanager.register(LaunchLayer(), "recording-harness-launch")


class LaunchLayer:
    """How the browser is launched: Chrome where it is found, with what a recording needs."""

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
    chosen: str | None = pytestconfig.getoption("--recordings")
    return Path(chosen).absolute() if chosen else pytestconfig.rootpath / "recordings"


@pytest.fixture(scope="session")
def verify_recording(pytestconfig: pytest.Config) -> Callable[..., Report]:
    """Return ``verify`` with the limits and expectations of ``--recordings-expect``; what a test says itself wins."""
    chosen: str | None = pytestconfig.getoption("--recordings-expect")
    expected = read_expected(Path(chosen)) if chosen else Expected()

    def judge(
        recording: Recording | Path | str,
        *,
        duration: float | None = None,
        limits: Limits | None = None,
        expect: Sequence[Expectation] = (),
    ) -> Report:
        return verify(
            recording,
            duration=expected.duration if duration is None else duration,
            limits=limits or expected.limits,
            expect=(*expected.expect, *expect),
        )

    return judge


@pytest.fixture(scope="session")
def room_server(browser_name: str, recordings: Path, request: pytest.FixtureRequest) -> Iterator[RoomServer]:
    """Return the server that serves the page and takes recordings in, one for the whole session."""
    # Another browser than Chrome is refused before it is launched, which it may not even be able to.
    chrome_only(browser_name)
    browser: Browser = request.getfixturevalue("browser")
    with RoomServer(recordings=recordings, versions=versions(browser.version)) as server:
        yield server


@pytest.fixture
def room(room_server: RoomServer, new_context: Callable[..., BrowserContext], recordings: Path) -> Iterator[Room]:
    """Return a room of this test's own, empty; everybody is out when the test ends, and what they recorded is kept."""
    name = secrets.token_urlsafe(16)
    with Room(server=room_server, new_context=new_context, recordings=recordings, name=name) as room:
        yield room
