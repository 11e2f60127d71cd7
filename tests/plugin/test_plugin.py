"""The pytest plugin works in typical user projects."""

import pytest

from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants, with_participant

pytestmark = pytest.mark.parallel

QUIET = ("-p", "no:cacheprovider")


def test_recording_without_a_download_is_kept_if_the_test_fails(pytester: pytest.Pytester) -> None:
    """Everything that was recorded until the assertion failed is stored in the --recordings folder."""
    pytester.makepyfile(
        """
        from harness import RecordConfig

        def test_that_fails(room):
            alice = room.join("alice")
            alice.start_media_recording(record_config=RecordConfig(record_name="clip"))
            assert False
        """
    )

    result = pytester.runpytest_subprocess(*QUIET, "--recordings", "videos")

    result.assert_outcomes(failed=1)
    assert (pytester.path / "videos" / "clip.webm").stat().st_size > 0


def test_limits_can_be_set_for_a_whole_run(pytester: pytest.Pytester) -> None:
    """The verify_recording fixture applies the limits from the --recordings-expect file to every recording."""
    write_recording(
        pytester.path / "clip.webm",
        with_participant(Scene(participants=participants("alice", "bob")), "bob", audio_delay=0.08),
    )
    (pytester.path / "strict.toml").write_text("duration = 3\n[limits]\naudio_late_ms = 50\n")
    pytester.makepyfile(
        """
        from harness import Limits

        def test_limits_of_the_run(verify_recording):
            report = verify_recording("clip.webm")
            assert ["av-offset"] == [finding.check for finding in report.failures]

        def test_limits_of_one_test(verify_recording):
            verify_recording("clip.webm", limits=Limits()).raise_for_failures()
        """
    )

    result = pytester.runpytest_subprocess(*QUIET, "--recordings-expect", "strict.toml")

    result.assert_outcomes(passed=2)


def test_room_works_if_the_browser_is_launched_with_a_proxy(pytester: pytest.Pytester) -> None:
    """The room's pages connect to the room's server directly, and to all other servers through the proxy."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def browser_type_launch_args(browser_type_launch_args):
            return {**browser_type_launch_args, "proxy": {"server": "http://127.0.0.1:9"}}
        """
    )
    pytester.makepyfile(
        """
        import pytest
        from playwright.sync_api import Error

        def test_room(room):
            alice = room.join("alice")
            alice.start_media_recording()
            alice.stop_media_recording()
            assert alice.download_media_recording().duration > 0
            with pytest.raises(Error, match="ERR_PROXY"):
                room.enter("bob").page.goto("http://localhost:8/")
        """
    )

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=1)


def test_launch_arguments_of_the_project_apply_to_the_recording_browser(pytester: pytest.Pytester) -> None:
    """A conftest.py in a user's project can extend the launch arguments, and can override those of the harness."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def browser_type_launch_args(browser_type_launch_args):
            return {**browser_type_launch_args, "args": ["--user-agent=Shop"], "handle_sigint": True}
        """
    )
    pytester.makepyfile(
        """
        def test_arguments(browser_type_launch_args, recording_launch_args):
            assert ["--user-agent=Shop"] == browser_type_launch_args["args"]
            arguments = recording_launch_args(browser_type_launch_args)
            assert "--user-agent=Shop" == arguments["args"][-1]
            assert "--autoplay-policy=no-user-gesture-required" in arguments["args"]
            assert (True, False) == (arguments["handle_sigint"], arguments["handle_sigterm"])

        def test_room(room):
            assert "Shop" == room.join("alice").page.evaluate("navigator.userAgent")
        """
    )

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=2)


def test_browser_other_than_chrome_is_refused_before_it_is_launched(pytester: pytest.Pytester) -> None:
    """With --browser firefox or webkit, setting up the room fixture fails with the reason and the remedy."""
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
        result.stdout.fnmatch_lines(f"*NotSupportedError: {browser} can't record a room: *--browser chromium).")
