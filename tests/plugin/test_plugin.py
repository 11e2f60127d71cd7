"""The pytest plugin, used as a stranger would use it."""

import pytest

from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants, with_participant

pytestmark = pytest.mark.parallel

# pytest-playwright 0.10 trips pytest 9.2's own warning; it is not ours to fix, nor to fail on.
QUIET = ("-p", "no:cacheprovider")


def test_a_recording_that_nobody_downloaded_is_kept_when_the_test_fails(pytester: pytest.Pytester) -> None:
    """What was recorded until the assertion is there, in the folder that --recordings names."""
    pytester.makepyfile(
        """
        from harness import RecordConfig

        def test_that_fails(room):
            alice = room.join("alice")
            alice.start_media_recording(record_config=RecordConfig(record_name="evidence"))
            assert False
        """
    )

    result = pytester.runpytest_subprocess(*QUIET, "--recordings", "evidence")

    result.assert_outcomes(failed=1)
    assert (pytester.path / "evidence" / "evidence.webm").stat().st_size > 0


def test_limits_can_be_given_for_a_whole_run(pytester: pytest.Pytester) -> None:
    """What --recordings-expect names holds for every recording that the fixture verify_recording judges."""
    write_recording(
        pytester.path / "take.webm",
        with_participant(Scene(participants=participants("alice", "bob")), "bob", audio_delay=0.08),
    )
    (pytester.path / "strict.toml").write_text("duration = 3\n[limits]\nav_offset_ms = 50\n")
    pytester.makepyfile(
        """
        from harness import Limits

        def test_the_run_is_strict(verify_recording):
            report = verify_recording("take.webm")
            assert ["av-offset"] == [finding.check for finding in report.failures]

        def test_a_test_may_be_lenient(verify_recording):
            verify_recording("take.webm", limits=Limits()).raise_for_failures()
        """
    )

    result = pytester.runpytest_subprocess(*QUIET, "--recordings-expect", "strict.toml")

    result.assert_outcomes(passed=2)


def test_a_conftest_of_the_users_own_has_the_last_word_on_launch_arguments(pytester: pytest.Pytester) -> None:
    """Our arguments lie beneath what the user's conftest adds."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def browser_type_launch_args(browser_type_launch_args):
            return {**browser_type_launch_args, "args": [*browser_type_launch_args["args"], "--lang=de"]}
        """
    )
    pytester.makepyfile(
        """
        def test_arguments(browser_type_launch_args):
            assert "--lang=de" in browser_type_launch_args["args"]
            assert "--autoplay-policy=no-user-gesture-required" in browser_type_launch_args["args"]
            assert browser_type_launch_args["handle_sigint"] is False
        """
    )

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=1)


def test_another_browser_is_refused_before_it_is_launched(pytester: pytest.Pytester) -> None:
    """With --browser firefox or webkit a room is an error at setup, which says why and what to do."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def launch_browser():
            def launch(**_):
                pytest.exit("launched")
            return launch
        """
    )
    pytester.makepyfile("def test_room(room): pass")

    result = pytester.runpytest_subprocess(*QUIET, "--browser", "firefox", "--browser", "webkit")

    result.assert_outcomes(errors=2)
    for browser in ("firefox", "webkit"):
        result.stdout.fnmatch_lines(f"*NotSupportedError: {browser} can't record a room: *--browser chromium.")
