"""Markers, options and fixtures that every suite shares."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import expect

from harness.recording.isolation import child
from tests.support.goals import FULL, Goals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers.application_site import Site
    from tests.support.servers.janus import Janus

pytest_plugins = ["pytester"]
GOALS = Goals()
# Two busy cores may take long for any example. The quick form says the same every time; the full one looks further.
settings.register_profile("steady", deadline=None, derandomize=not FULL, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    """Declare our markers, and give expectations of pages the time that two busy cores need."""
    # nohup ignores SIGHUP, which programs inherit; tests send it to them.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    expect.set_options(timeout=20_000)
    # A confined child may write no file, and is killed at the end: it could not report what it measured.
    child._ONE_THREAD["COVERAGE_PROCESS_CONFIG"] = ""
    config.addinivalue_line("markers", "own_thread: runs in a thread of its own, beside pytest-playwright's event loop")
    config.addinivalue_line("markers", "thorough: deepens what others cover; left out of the quick form")
    config.addinivalue_line("markers", "parallel: may run next to other tests; a file without this marker runs alone")
    config.addinivalue_line("markers", "alone: runs with nothing next to it, although its file is marked parallel")


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Skip in the quick form what only the full form runs."""
    if item.get_closest_marker("thorough") and not FULL:
        item.add_marker(pytest.mark.skip(reason="Left out of the quick form: make test-thorough, or HARNESS_FULL=1."))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests without a browser first: their results come soon, and they are faster while no Chrome is open."""
    items.sort(key=lambda item: "unit" not in item.path.parts or "browser" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that launches a Chrome itself where no other Playwright runs: one thread, one executor."""
    if pyfuncitem.get_closest_marker("own_thread") is None:
        return None
    # Only the fixtures that the function itself requests.
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(pyfuncitem.obj, **arguments).result()
    return True


@pytest.fixture(scope="session")
def goals() -> Goals:
    """Return the table of what is promised, which is printed at the end."""
    return GOALS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, as far as it was measured; add to the file FAILURES, if asked to, what failed and why."""
    if GOALS.rows:
        terminalreporter.section("what is promised, and what was measured")
        for line in GOALS.table():
            terminalreporter.write_line(line)
    if "FAILURES" in os.environ and "PYTEST_XDIST_WORKER" not in os.environ:
        with Path(os.environ["FAILURES"]).open("a", encoding="utf-8") as file:
            for report in [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]:
                crash = getattr(report.longrepr, "reprcrash", None)
                said = " ".join((crash.message if crash else report.longreprtext).split())
                said = said if len(said) < 400 else f"{said[:250]} ... {said[-130:]}"
                file.write(f"{report.nodeid} ({report.when}): {said}\n")


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for recordings that is removed with the tests' other files."""
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Serve applications that know nothing of the harness, over https and with every rule that one can set."""
    # Few tests want it, and its libraries take long to import.
    from tests.support.servers.application_site import NODE_MODULES, Site

    if not (NODE_MODULES / "simple-peer").is_dir():
        pytest.skip("the applications' libraries are not installed: make setup-dev")
    with Site() as site:
        yield site


@pytest.fixture
def janus(tmp_path: Path) -> Iterator[Janus]:
    """Run a Janus."""
    from tests.support.servers.janus import Janus, installed

    if not installed():
        pytest.skip("there is no janus: scripts/ci-packages installs it on Debian")
    folder = tmp_path / "janus"
    folder.mkdir()
    with Janus(folder) as janus:
        yield janus
