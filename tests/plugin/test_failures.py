"""Tests for the artifacts of tests that fail during teardown or log text with unusual characters.

Each test runs pytest in a separate process.
"""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.parallel

QUIET = ("-p", "no:cacheprovider")
RECORD = """
    import pytest
    from harness import RecordConfig

    def record(room, name):
        alice = room.join("alice")
        alice.start_media_recording(record_config=RecordConfig(record_name=name))
        room.wait(seconds=0.3)
        alice.stop_media_recording()
        alice.download_media_recording()
        alice.clean_media_recording()
"""


def test_recordings_are_kept_if_a_fixture_fails_after_the_room_was_closed(pytester: pytest.Pytester) -> None:
    """If the teardown of a fixture fails after the room is closed, the test still gets its failure folder."""
    pytester.makepyfile(
        RECORD
        + """
    @pytest.fixture
    def early():
        yield
        raise ValueError("too late")

    def test_that_fails_at_its_end(early, room):
        record(room, "late")

    def test_that_passes(room):
        record(room, "passed")
    """
    )

    result = pytester.runpytest_subprocess(*QUIET, "--recordings-keep", "retain-on-failure", "--html", "all.html")

    result.assert_outcomes(passed=2, errors=1)
    recordings = pytester.path / "recordings"
    assert ["late.webm"] == [path.name for path in recordings.glob("*.webm")]
    (bundle,) = (recordings / "failures").iterdir()
    assert {"late.webm", "late.manifest.json", "late.html", "late.report.json", "timeline.jsonl"} <= {
        path.name for path in bundle.iterdir()
    }
    result.stdout.fnmatch_lines(
        ["*recordings of failed tests*", "*::test_that_fails_at_its_end*: */recordings/failures/*"]
    )


def test_recordings_are_kept_if_a_fixture_of_the_module_fails(pytester: pytest.Pytester) -> None:
    """If the teardown of a module's fixture fails, the module's last test is reported as failed."""
    pytester.makepyfile(
        RECORD
        + """
    @pytest.fixture(scope="module")
    def wide():
        yield
        raise ValueError("too late")

    def test_first(wide, room):
        record(room, "first")

    def test_last(wide, room):
        record(room, "last")
    """
    )

    result = pytester.runpytest_subprocess(*QUIET, "--recordings-keep", "retain-on-failure")

    result.assert_outcomes(passed=2, errors=1)
    assert ["last.webm"] == [path.name for path in (pytester.path / "recordings").glob("*.webm")]


def test_unusual_console_text_is_stored_for_a_failed_test(pytester: pytest.Pytester) -> None:
    """Lone surrogates, control characters and NUL are replaced in the stored text.

    Participants whose names collide get separate files.
    """
    pytester.makepyfile(
        r"""
    def test_that_fails(room):
        first, second = room.join_all("a/b", "a:b")
        first.page.evaluate("console.log('half \ud83d, escape \\x1b[31m, nul \\x00, separator \\u2028.')")
        second.page.evaluate("console.log('second participant')")
        assert False
    """
    )

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(failed=1)
    (bundle,) = (pytester.path / "recordings" / "failures").iterdir()
    texts = [path.read_text(encoding="utf-8") for path in sorted(bundle.glob("*.console.txt"))]
    assert 2 == len(texts)
    assert any("half \ufffd, escape \ufffd[31m, nul \ufffd, separator \ufffd." in text for text in texts)
    assert any("second participant" in text for text in texts)
    lines = _lines(bundle / "timeline.jsonl")
    assert any("half \ufffd" in str(line.get("message")) for line in lines)


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_observations_are_kept_like_recordings(pytester: pytest.Pytester) -> None:
    """The manifest of an observation is stored with a failed test, and removed if the test's recordings are removed."""
    pytester.makepyfile(
        """
    def observe(room, name):
        room.join("alice")
        with room.observe(name):
            room.wait(seconds=0.3)

    def test_that_fails(room):
        observe(room, "failed")
        assert False

    def test_that_passes(room):
        observe(room, "passed")
    """
    )

    result = pytester.runpytest_subprocess(*QUIET, "--recordings-keep", "retain-on-failure")

    result.assert_outcomes(passed=1, failed=1)
    recordings = pytester.path / "recordings"
    assert ["failed.manifest.json"] == [path.name for path in recordings.glob("*.json")]
    (bundle,) = (recordings / "failures").iterdir()
    lines = [json.loads(line) for line in (bundle / "timeline.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (bundle / "failed.manifest.json").is_file()
    assert ("join", "alice") in [
        (line.get("event"), line.get("participant")) for line in lines if line["source"] == "failed.manifest.json"
    ]
