"""Markers, hooks and fixtures for all test suites."""

from __future__ import annotations

import dataclasses
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import expect

from harness.recording.isolation import child
from tests.support.goals import FULL, Goals, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.servers.application_site import Site
    from tests.support.servers.janus import Janus

pytest_plugins = ["pytester", "tests.starved"]
GOALS = Goals()
# Hypothesis sets no deadline, because any example can be slow on two busy cores. The quick form uses the same examples
# in each run; the full form uses random ones.
settings.register_profile("steady", deadline=None, derandomize=not FULL, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    """Register our markers, and raise Playwright's assertion timeout for slow machines (two busy cores)."""
    # If pytest runs under nohup, its child processes ignore SIGHUP, but some tests send them this signal.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    expect.set_options(timeout=20_000)
    # Don't measure coverage in confined child processes: they can't write files, and are killed when they are done.
    child._ONE_THREAD["COVERAGE_PROCESS_CONFIG"] = ""
    config.addinivalue_line(
        "markers", "own_thread: runs in a separate thread, because the main thread has an event loop"
    )
    config.addinivalue_line("markers", "thorough: extends the coverage of another test; the quick form skips it")
    config.addinivalue_line(
        "markers", "release: answers a question that matters only for a release; make test-release runs it"
    )
    config.addinivalue_line(
        "markers", "parallel: can run on a busy machine; tests without this marker leave time for each other"
    )
    config.addinivalue_line("markers", "alone: never runs at the same time as other tests")
    config.addinivalue_line("markers", "starves: starves its recordings on purpose, so a failure is never repeated")


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """When only the quick tests run, skip all tests marked ``thorough``."""
    if item.get_closest_marker("thorough") and not FULL:
        item.add_marker(pytest.mark.skip(reason="Runs only in the full form: make test-thorough, or HARNESS_FULL=1."))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that need no browser first, because they are faster while no Chrome is open."""
    items.sort(key=lambda item: "unit" not in item.path.parts or "browser" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test marked ``own_thread`` in a new thread, where it can start its own Playwright."""
    if pyfuncitem.get_closest_marker("own_thread") is None:
        return None
    # funcargs also contains indirect and autouse fixtures, which the function doesn't accept.
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(pyfuncitem.obj, **arguments).result()
    return True


@pytest.fixture(scope="session")
def goals() -> Goals:
    """Return the table that compares measurements with their targets; it is printed after all tests."""
    return GOALS


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add the measurements from another process, which pytest-xdist started."""
    GOALS.rows.extend(Row(**row) for row in getattr(node, "workeroutput", {}).get("measurements", ()))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Pass the measurements on to the process that prints the summary, if pytest-xdist started this process."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["measurements"] = [dataclasses.asdict(row) for row in GOALS.rows]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the measurements, and append each failure to the file that the environment variable FAILURES names."""
    if GOALS.rows:
        terminalreporter.section("promised and measured figures")
        for line in GOALS.table():
            terminalreporter.write_line(line)
    if "FAILURES" in os.environ and "PYTEST_XDIST_WORKER" not in os.environ:
        with Path(os.environ["FAILURES"]).open("a", encoding="utf-8") as file:
            for report in [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]:
                crash = getattr(report.longrepr, "reprcrash", None)
                reason = " ".join((crash.message if crash else report.longreprtext).split())
                reason = reason if len(reason) < 400 else f"{reason[:250]} ... {reason[-130:]}"
                file.write(f"{report.nodeid} ({report.when}): {reason}\n")


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], recording_launch_args: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Return the arguments for recording, so that all tests share one browser (``recordings_browser = "project"``)."""
    return recording_launch_args(browser_type_launch_args)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for recordings; pytest removes it with its other temporary folders."""
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Serve other WebRTC applications over HTTPS, with strict security headers."""
    # Import this module only when it is needed, because its own imports are slow and few tests need the site.
    from tests.support.servers.application_site import NODE_MODULES, Site

    if not (NODE_MODULES / "simple-peer").is_dir():
        pytest.skip("The libraries of the applications are not installed; run make setup-dev.")
    with Site() as site:
        yield site


@pytest.fixture
def janus(tmp_path: Path) -> Iterator[Janus]:
    """Start a Janus server for one test."""
    from tests.support.servers.janus import Janus, installed

    if not installed():
        pytest.skip("Janus is not installed; on Debian, scripts/ci-packages installs it.")
    folder = tmp_path / "janus"
    folder.mkdir()
    with Janus(folder) as janus:
        yield janus
