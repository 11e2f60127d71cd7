"""Tests whose recordings were starved are repeated once."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.parallel
_TEST = """
import json
import pathlib
import pytest

COUNT = pathlib.Path(__file__).with_name("count")


{marker}
def test_recording(tmp_path):
    runs = len(COUNT.read_text()) if COUNT.exists() else 0
    COUNT.write_text("x" * (runs + 1))
    (tmp_path / "call.manifest.json").write_text(json.dumps({manifest}))
    assert runs >= {failures}
"""


def _late_frames(**late: int) -> dict[str, object]:
    """Return a part of a manifest in which each participant painted some frames late."""
    return {
        "timeline": {
            "events": [
                {"event": "join", "participant": "alice"},
                *({"event": "late-frames", "participant": name, "counters": [*range(late[name])]} for name in late),
            ]
        }
    }


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ({"ticks": 100, "ticks_missed": 3}, "call missed 3 of 100 ticks"),
        ({"ticks": 100, "wall_seconds": 10.0, "stolen_seconds": 0.2}, "call lost 0.20 of 10.0 s of CPU time"),
        (
            {"ticks": 100, **_late_frames(bob=3, alice=1)},
            "call contains 100 ticks, and bob painted 3 frames late",
        ),
    ],
)
def test_starved_recording_is_repeated_and_listed(
    pytester: pytest.Pytester, manifest: dict[str, Any], reason: str
) -> None:
    """The test fails first, and passes when it is repeated."""
    result = _run(pytester, manifest, failures=1)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*repeated because the machine was too busy*", f"*test_recording: {reason}"])


def test_repeated_test_fails_if_it_fails_again(pytester: pytest.Pytester) -> None:
    """A test is repeated only once."""
    _run(pytester, {"ticks": 100, "ticks_missed": 50}, failures=2).assert_outcomes(failed=1)


@pytest.mark.parametrize(
    "manifest",
    [
        {"ticks": 100, "ticks_missed": 2},
        {"ticks": 0, "ticks_missed": 0},
        {"ticks": 100, **_late_frames(bob=2, alice=2)},
        {"ticks": 30, **_late_frames(bob=1)},
    ],
)
def test_test_with_complete_recording_fails_at_once(pytester: pytest.Pytester, manifest: dict[str, Any]) -> None:
    """A failure that the machine did not cause counts."""
    result = _run(pytester, manifest, failures=1)
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*repeated because*")


def test_failure_of_a_test_that_starves_its_recording_counts_at_once(pytester: pytest.Pytester) -> None:
    """The machine did not cause what the test did on purpose."""
    result = _run(pytester, {"ticks": 100, "ticks_missed": 50}, failures=1, marker="@pytest.mark.starves")

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*repeated because*")


_SHARED = """
import json
import pathlib
import pytest

COUNT = pathlib.Path(__file__).with_name("count")


@pytest.fixture(scope="module")
def recordings_made(tmp_path_factory):
    made = len(COUNT.read_text()) + 1 if COUNT.exists() else 1
    COUNT.write_text("x" * made)
    manifest = tmp_path_factory.mktemp("recordings") / "call.manifest.json"
    manifest.write_text(json.dumps({"ticks": 100, "ticks_missed": 50 if made <= {starved} else 0}))
    return made


def test_first(recordings_made):
    assert recordings_made


def test_second(recordings_made):
    assert recordings_made > {failures}


def test_third(recordings_made):
    assert recordings_made > {failures}
"""


@pytest.mark.parametrize(
    ("starved", "failures", "outcomes", "made"),
    [
        (1, 1, {"passed": 3}, 2),
        (1, 2, {"passed": 1, "failed": 2}, 2),
        (0, 1, {"passed": 1, "failed": 2}, 1),
    ],
    ids=["the second recording is complete", "both recordings are faulty", "the first recording is complete"],
)
def test_shared_recording_is_made_again(
    pytester: pytest.Pytester, starved: int, failures: int, outcomes: dict[str, int], made: int
) -> None:
    """A recording that the tests of a module share is made again once, and only if it was starved."""
    pytester.makeconftest('pytest_plugins = ["tests.starved"]')
    # The fixture of another module is kept.
    pytester.makepyfile(test_elsewhere="def test_elsewhere(): pass")
    pytester.makepyfile(_SHARED.replace("{starved}", str(starved)).replace("{failures}", str(failures)))

    result = pytester.runpytest_subprocess("-p", "no:harness", "-p", "no:cacheprovider")

    result.assert_outcomes(**{**outcomes, "passed": outcomes["passed"] + 1})
    assert "x" * made == (pytester.path / "count").read_text()


def _run(pytester: pytest.Pytester, manifest: dict[str, Any], *, failures: int, marker: str = "") -> pytest.RunResult:
    pytester.makeconftest('pytest_plugins = ["tests.starved"]')
    test = _TEST.replace("{manifest}", repr(manifest)).replace("{failures}", str(failures))
    pytester.makepyfile(test.replace("{marker}", marker))
    return pytester.runpytest_subprocess("-p", "no:harness", "-p", "no:cacheprovider")
