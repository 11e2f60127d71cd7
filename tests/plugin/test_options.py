"""Tests for the plugin's options and its marker; each test runs pytest in a separate process."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from harness.browser.chrome import launch_options
from harness.browser.locate import locate
from tests.support.reports import BUSY_CHECKS, LENIENT_LIMITS
from tests.support.servers.janus import Janus

pytestmark = pytest.mark.parallel

QUIET = ("-p", "no:cacheprovider")
ONE_PASSES_ONE_FAILS = """
    from harness import RecordConfig

    def record(room, name):
        alice = room.join("alice")
        alice.start_media_recording(record_config=RecordConfig(record_name=name))
        room.wait(seconds=0.3)
        alice.stop_media_recording()
        alice.download_media_recording()
        alice.clean_media_recording()

    def test_that_passes(room):
        record(room, "passed")

    def test_that_fails(room):
        record(room, "failed")
        print("about to fail")
        assert False
"""

TWO_CALLS = f"""
    import pytest
    from harness import Limits, RecordConfig, verify

    @pytest.mark.parametrize("number", range(2))
    def test_a_room(room, number):
        alice, bob = room.join_all("alice", "bob")
        alice.start_media_recording(record_config=RecordConfig(record_name="same"))
        room.wait(seconds=1.5)
        alice.stop_media_recording()
        recording = alice.download_media_recording()
        alice.clean_media_recording()
        # Other tests record on the same processors.
        failures = verify(recording, limits={LENIENT_LIMITS!r}).failures
        assert [] == [finding for finding in failures if finding.check not in {sorted(BUSY_CHECKS)}]
"""


def recording_names(folder: Path) -> set[str]:
    """Return the names of the recordings and related files in a folder, without their suffixes."""
    return {path.name.partition(".")[0] for path in folder.glob("*.*")}


@pytest.mark.parametrize(("keep", "remaining"), [("retain-on-failure", {"failed"}), ("off", set())])
def test_recordings_keep_decides_which_recordings_are_kept(
    pytester: pytest.Pytester, keep: str, remaining: set[str]
) -> None:
    """--recordings-keep can limit the kept recordings to failed tests or to none; failure folders are always kept."""
    pytester.makepyfile(ONE_PASSES_ONE_FAILS)

    result = pytester.runpytest_subprocess(*QUIET, "--recordings", "videos", "--recordings-keep", keep)

    result.assert_outcomes(passed=1, failed=1)
    assert remaining == recording_names(pytester.path / "videos")
    result.stdout.fnmatch_lines(["*recordings of failed tests*", "*::test_that_fails*: */videos/failures/*"])
    (bundle,) = (pytester.path / "videos" / "failures").iterdir()
    assert (bundle / "failed.webm").stat().st_size > 0


def test_failed_test_has_all_artifacts_in_one_folder(pytester: pytest.Pytester) -> None:
    """A failure folder contains the recording's files, screenshots, console logs, a Playwright trace and a timeline."""
    pytester.makepyfile(
        """
        from harness import RecordConfig

        def test_that_fails(room):
            alice, bob = room.join_all("alice", "bob")
            alice.start_media_recording(record_config=RecordConfig(record_name="clip"))
            bob.page.evaluate("console.warn('low battery')")
            room.wait(seconds=1.2)
            bob.mute()
            room.wait(seconds=0.3)
            assert False
        """
    )

    result = pytester.runpytest_subprocess(*QUIET, "--tracing", "retain-on-failure")

    result.assert_outcomes(failed=1)
    (bundle,) = (pytester.path / "recordings" / "failures").iterdir()
    assert "test_that_fails" in bundle.name
    kept = {path.name for path in bundle.iterdir()}
    assert kept >= {
        *("clip.webm", "clip.manifest.json", "clip.stats.jsonl", "clip.html", "clip.report.json"),
        *("alice.png", "bob.png", "alice.console.txt", "bob.console.txt", "timeline.jsonl"),
    }
    assert any(name.startswith("trace") and name.endswith(".zip") for name in kept)
    # A screenshot of a blank page is only 4 kB in size.
    assert all((bundle / f"{name}.png").stat().st_size > 40_000 for name in ("alice", "bob"))
    assert "warning: low battery" in (bundle / "bob.console.txt").read_text()
    timeline = [json.loads(line) for line in (bundle / "timeline.jsonl").read_text().splitlines()]
    assert sorted(one["time"] for one in timeline) == [one["time"] for one in timeline]
    logged = next(index for index, one in enumerate(timeline) if one.get("message") == "warning: low battery")
    muted = next(index for index, one in enumerate(timeline) if one.get("event") == "audio" and one.get("on") is False)
    assert logged < muted
    assert any(one.get("event") == "rtc-statistics" and one["participant"] == "bob" for one in timeline)


def test_options_can_be_set_in_the_configuration(pytester: pytest.Pytester) -> None:
    """Each option has an ini setting of the same name, and the command line takes precedence."""
    pytester.makeini(
        "[pytest]\nrecordings = videos\nrecordings_keep = retain-on-failure\nrecordings_expect = limits.toml"
    )
    (pytester.path / "limits.toml").write_text("[limits]\naudio_late_ms = 50\n")
    pytester.makepyfile(
        """
        def test_folder(recordings, verify_recording, pytestconfig):
            assert recordings == pytestconfig.rootpath / "videos"
        """
    )

    pytester.runpytest_subprocess(*QUIET).assert_outcomes(passed=1)

    pytester.runpytest_subprocess(*QUIET, "--recordings", "others").assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--recordings-keep", "maybe"),
            "*--recordings-keep: 'maybe' is not valid; choose one of on, off, retain-on-failure.",
        ),
        (
            ("--recordings-browser", "mine"),
            "*--recordings-browser: 'mine' is not valid; choose one of own, project.",
        ),
        (
            ("--recordings-browser", "project", "--room-connect", "ws://browsers:3000/"),
            "*--room-connect can't be used with --recordings-browser project. *",
        ),
    ],
)
def test_invalid_options_are_refused(pytester: pytest.Pytester, arguments: tuple[str, ...], message: str) -> None:
    """Invalid values are refused with a one-line error that states the remedy, and no test runs."""
    pytester.makepyfile("def test_nothing(): pass")

    result = pytester.runpytest_subprocess(*QUIET, *arguments)

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines([message])


def test_marker_sets_participants_and_record_config(pytester: pytest.Pytester) -> None:
    """The marker's participants join before the test, and the marker's configuration is the default for recordings."""
    pytester.makepyfile(
        """
        import pytest
        from harness import RecordConfig

        @pytest.mark.room(participants=3, layout="speaker", record_video_quality="480p", record_name="marked")
        def test_three_participants(room):
            assert ["alice", "bob", "carol"] == [one.name for one in room.participants]
            alice = room.participants[0]
            alice.start_media_recording()
            alice.stop_media_recording()
            recording = alice.download_media_recording()
            assert ("marked.webm", 640, 480) == (recording.path.name, recording.width, recording.height)

        @pytest.mark.room(participants=["ann", "ben"])
        def test_names(room):
            assert ["ann", "ben"] == [one.name for one in room.participants]

        def test_empty_room(room):
            assert [] == room.participants
        """
    )

    pytester.runpytest_subprocess(*QUIET, "--strict-markers").assert_outcomes(passed=3)


def test_invalid_marker_is_an_error_with_the_reason(pytester: pytest.Pytester) -> None:
    """Each invalid marker causes a one-line error that states the marker or option, the problem, and the remedy."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.room(participants=0)
        def test_too_few(room): pass

        @pytest.mark.room(colour="red")
        def test_unknown(room): pass

        @pytest.mark.room(layout="heap")
        def test_layout(room): pass

        @pytest.mark.room(3)
        def test_positional(room): pass
        """
    )

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(
        [
            "*participants: 0 is not valid; give a number from 1 to 16, or a list of names.",
            "*@pytest.mark.room: unknown option 'colour'; choose from participants, media, record_type*",
            "*layout: 'heap' is not valid; choose one of 'grid', 'speaker'.",
            "*@pytest.mark.room accepts only keyword arguments; write participants=3.",
        ]
    )


def test_reporters_get_the_paths_of_recordings(pytester: pytest.Pytester) -> None:
    """JUnit XML contains the files' paths as test properties; pytest-html and Allure include the videos and reports."""
    pytester.makepyfile(ONE_PASSES_ONE_FAILS)

    reporters = ("--junit-xml", "results.xml", "--html", "site/all.html", "--alluredir", "allure")
    pytester.runpytest_subprocess(*QUIET, *reporters).assert_outcomes(passed=1, failed=1)

    assert {"passed", "failed"} == recording_names(pytester.path / "recordings")
    junit = (pytester.path / "results.xml").read_text()
    assert f'name="recording" value="{pytester.path}/recordings/passed.webm"' in junit
    assert f'name="recording_bundle" value="{pytester.path}/recordings/failures/' in junit
    html = (pytester.path / "site" / "all.html").read_text()
    assert "../recordings/passed.webm" in html
    assert "../recordings/passed.html" in html
    assert (pytester.path / "recordings" / "passed.html").stat().st_size > 0
    allure = "".join(path.read_text() for path in (pytester.path / "allure").glob("*.json"))
    assert '"passed.webm"' in allure
    assert '"Report on failed.webm"' in allure


@pytest.mark.alone
def test_workers_record_in_parallel(pytester: pytest.Pytester) -> None:
    """With pytest-xdist, each process has its own browser and server, and all of them share one recordings folder."""
    pytester.makepyfile(TWO_CALLS)

    result = pytester.runpytest_subprocess(*QUIET, "-n", "2")

    result.assert_outcomes(passed=2)
    assert {"same.webm", "same-2.webm"} == {path.name for path in (pytester.path / "recordings").glob("*.webm")}


def test_failed_join_has_a_failure_folder(pytester: pytest.Pytester) -> None:
    """If a participant can't join, the test gets a failure folder even though its body never runs."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.room(participants=["alice", 500 * "x"])
        def test_too_long_name(room):
            pass
        """
    )

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(errors=1)
    (bundle,) = (pytester.path / "recordings" / "failures").iterdir()
    assert (bundle / "alice.png").stat().st_size > 0


def test_remote_browser_records_for_the_plugin(pytester: pytest.Pytester, remote_browser: str) -> None:
    """With --room-connect, the plugin uses a browser that Playwright serves, and the recordings are stored locally."""
    pytester.makepyfile(TWO_CALLS)

    result = pytester.runpytest_subprocess(*QUIET, "--room-connect", remote_browser)

    result.assert_outcomes(passed=2)
    assert (pytester.path / "recordings" / "same.webm").stat().st_size > 0


@pytest.fixture
def remote_browser(tmp_path: Path, playwright: Playwright) -> Iterator[str]:
    """Serve a browser with Playwright's command line; return the browser's address."""
    found = locate(None, bundled=playwright.chromium.executable_path)
    options = launch_options(found, fake_devices=True)
    words = {name: name.split("_") for name in options}
    camel_case = {first + "".join(map(str.title, rest)): options[name] for name, (first, *rest) in words.items()}
    (tmp_path / "launch.json").write_text(json.dumps(camel_case, default=str))
    command = [sys.executable, "-m", "playwright", "launch-server", "--browser", "chromium"]
    server = subprocess.Popen(
        [*command, "--config", tmp_path / "launch.json"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert server.stdout is not None
    yield server.stdout.readline().strip()
    os.killpg(server.pid, signal.SIGTERM)
    server.communicate(timeout=20)


def test_room_uses_an_sfu(pytester: pytest.Pytester, janus: Janus, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --room-sfu, the same tests run over Janus without changes."""
    pytester.makepyfile(TWO_CALLS)
    monkeypatch.setenv("HARNESS_SFU_SECRET", janus.secret)

    result = pytester.runpytest_subprocess(*QUIET, "--room-sfu", f"janus={janus.url}")

    result.assert_outcomes(passed=2)
    assert "WebRTC media is now available" in janus.log
