"""The plugin works together with other popular pytest plugins; each test runs pytest in a separate process."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.release

QUIET = ("-p", "no:cacheprovider")
FOLDER = Path(sys.prefix) / "other-plugins"
# The names under which the plugins in the folder are registered.
PLUGINS = ("asyncio", "playwright-asyncio", "randomly", "rerunfailures")

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run_with(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs pytest with the named plugins of the folder, and with the given arguments.

    pytest loads every plugin that it finds, so the function turns off the others.
    """
    if not FOLDER.is_dir():
        pytest.skip("The other plugins are not installed; run make setup-dev.")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(FOLDER), os.environ.get("PYTHONPATH")))))

    def run(*plugins: str, arguments: tuple[str, ...] = ()) -> pytest.RunResult:
        off = [word for name in PLUGINS if name not in plugins for word in ("-p", f"no:{name}")]
        return pytester.runpytest_subprocess(*QUIET, *off, *arguments)

    return run


def test_async_tests_run_between_tests_with_a_room(ordered_project: pytest.Pytester, run_with: Run) -> None:
    """With pytest-asyncio, async tests pass before, between and after tests with a room.

    An async test that requests a room fails with the reason, because the room is synchronous.
    """
    ordered_project.makepyfile(
        """
        import asyncio

        import pytest
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def stock():
            await asyncio.sleep(0)
            yield 3
            await asyncio.sleep(0)

        @pytest.mark.asyncio
        async def test_before(stock):
            assert 3 == stock

        def test_first_room(room):
            room.join("alice")

        @pytest.mark.asyncio
        async def test_between(stock):
            assert 3 == stock

        def test_second_room(room):
            room.join("alice")

        @pytest.mark.asyncio
        async def test_async_room(room):
            pass

        @pytest.mark.asyncio
        async def test_last(stock):
            assert 3 == stock
        """
    )

    result = run_with("asyncio")

    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines("*fixtures are synchronous. Define this test with 'def' instead of 'async def'.*")


def test_async_pages_work_and_rooms_fail_with_the_reason(project: pytest.Pytester, run_with: Run) -> None:
    """With pytest-playwright-asyncio instead of pytest-playwright, other tests pass, and tests with a room do not."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.asyncio(loop_scope="session")
        async def test_page(page):
            assert 2 == await page.evaluate("1 + 1")

        def test_room(room):
            pass

        @pytest.mark.asyncio(loop_scope="session")
        async def test_attach(attach, page):
            pass
        """
    )

    result = run_with("asyncio", "playwright-asyncio", arguments=("-p", "no:playwright"))

    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(
        "*The harness's fixtures need pytest-playwright, which pytest did not load. Run these tests without "
        "'-p no:playwright', and separately from tests that use pytest-playwright-asyncio.*"
    )


def test_tests_with_a_room_run_in_random_order(pytester: pytest.Pytester, run_with: Run) -> None:
    """pytest-randomly may mix tests with a room and other tests, and may reset the random numbers before each test."""
    pytester.makepyfile(
        """
        import asyncio
        import random

        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_room(room, number):
            room.join("alice")
            assert 1 == len(room.participants)

        @pytest.mark.parametrize("number", range(3))
        def test_other(number):
            asyncio.run(asyncio.sleep(0))
            assert 0 <= random.random() < 1
        """
    )

    for seed in (1, 2):
        result = run_with("randomly", arguments=(f"--randomly-seed={seed}",))

        result.assert_outcomes(passed=6)


def test_failed_attempt_has_its_own_artifacts(pytester: pytest.Pytester, run_with: Run) -> None:
    """With pytest-rerunfailures, the artifacts of a failed attempt are kept, and the next attempt gets a new room."""
    pytester.makepyfile(
        """
        from harness import RecordConfig

        attempts = []

        def test_flaky(room):
            assert room not in attempts
            attempts.append(room)
            alice = room.join("alice")
            alice.start_media_recording(record_config=RecordConfig(record_name=f"attempt{len(attempts)}"))
            room.wait(seconds=0.3)
            alice.stop_media_recording()
            alice.download_media_recording()
            alice.clean_media_recording()
            assert 2 == len(attempts)
        """
    )

    result = run_with("rerunfailures", arguments=("--reruns", "1", "--recordings-keep", "retain-on-failure"))

    outcomes = result.parseoutcomes()
    assert (1, 1) == (outcomes["passed"], outcomes["rerun"])
    assert "failed" not in outcomes
    recordings = pytester.path / "recordings"
    assert ["attempt1.webm"] == [path.name for path in recordings.glob("*.webm")]
    (bundle,) = (recordings / "failures").iterdir()
    assert (bundle / "attempt1.webm").stat().st_size > 0


def test_rooms_and_other_tests_run_in_groups(pytester: pytest.Pytester) -> None:
    """With pytest-xdist and --dist loadgroup, each worker that runs a room has its own recording browser."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.xdist_group("rooms")
        @pytest.mark.parametrize("number", range(2))
        def test_room(room, number):
            room.join("alice")

        @pytest.mark.xdist_group("others")
        @pytest.mark.parametrize("number", range(2))
        def test_other(number):
            pass
        """
    )

    result = pytester.runpytest_subprocess(*QUIET, "-n", "2", "--dist", "loadgroup")

    result.assert_outcomes(passed=4)
