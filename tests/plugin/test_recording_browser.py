"""Tests with a room record in the harness's own browser, or in the project's browser if the project requests it."""

from pathlib import Path

import pytest

from tests.support.servers.application_site import Site

pytestmark = pytest.mark.parallel

QUIET = ("-p", "no:cacheprovider")
PROJECT = ("--recordings-browser", "project")
UNUSABLE_BROWSER = """
    import pytest

    @pytest.fixture(scope="session")
    def browser():
        pytest.fail("The project's browser was launched.")
"""
FALLBACKS = """
    from harness import RecordConfig
    from harness.recording.manifest import Manifest

    def fallbacks(room, participant):
        participant.start_media_recording(record_config=RecordConfig(record_name="clip"))
        room.wait(seconds=0.5)
        participant.stop_media_recording()
        return Manifest.read(participant.download_media_recording().manifest).fallbacks
"""


def test_tests_with_a_room_do_not_launch_the_projects_browser(pytester: pytest.Pytester) -> None:
    """A test with a room gets its pages from the recording browser, and records without fallbacks."""
    pytester.makeconftest(UNUSABLE_BROWSER)
    pytester.makepyfile(
        FALLBACKS
        + """
    def test_room(room, page, new_context, recording_browser):
        assert page.context.browser is recording_browser
        assert new_context().browser is recording_browser
        assert room.join("bob").page.context.browser is recording_browser
        assert () == fallbacks(room, room.join("alice"))
    """
    )

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=1)


def test_attached_pages_need_no_fallbacks(pytester: pytest.Pytester, site: Site) -> None:
    """Pages from new_context have all of the harness's switches if the test also uses attach."""
    pytester.makeconftest(UNUSABLE_BROWSER)
    pytester.makepyfile(
        FALLBACKS
        + f"""
    def test_call(room, attach, new_context):
        participants = []
        for name in ("alice", "bob"):
            page = new_context(ignore_https_errors=True).new_page()
            participants.append(attach(page, name))
            page.goto("{site.url}/simple-peer.html")
        alice, bob = participants
        room.wait_for(lambda: ["bob"] == alice.others, what="bob in the call", timeout=20)
        assert () == fallbacks(room, alice)
    """
    )

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=1)


def test_room_can_be_requested_at_run_time(pytester: pytest.Pytester) -> None:
    """A room that a test requests with request.getfixturevalue also records in the recording browser."""
    pytester.makeconftest(UNUSABLE_BROWSER)
    pytester.makepyfile(
        FALLBACKS
        + """
    def test_room(request):
        room = request.getfixturevalue("room")
        assert () == fallbacks(room, room.join("alice"))
    """
    )

    result = pytester.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=1)


def test_projects_fixtures_for_pages_stay_in_use(project: pytest.Pytester) -> None:
    """If the project overrides new_context or browser_context_args, the overrides also apply to tests with a room."""
    project.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="session")
        def browser_context_args(browser_context_args):
            return {**browser_context_args, "locale": "fr-FR"}

        @pytest.fixture
        def new_context(new_context):
            def with_greeting(**options):
                context = new_context(**options)
                context.greeting = "bonjour"
                return context
            return with_greeting

        def test_room(room, page, recording_browser):
            assert page.context.browser is recording_browser
            assert ("bonjour", "fr-FR") == (page.context.greeting, page.evaluate("navigator.language"))
            assert "fr-FR" == room.join("alice").page.evaluate("navigator.language")

        def test_other(page, browser):
            assert page.context.browser is browser
            assert ("bonjour", "fr-FR") == (page.context.greeting, page.evaluate("navigator.language"))
        """
    )

    result = project.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=2)


def test_shared_context_of_the_project_stays_in_the_projects_browser(project: pytest.Pytester) -> None:
    """A context that several tests share does not depend on which of these tests runs first."""
    project.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="session")
        def context(browser):
            context = browser.new_context()
            yield context
            context.close()

        def test_room(room, page, browser, recording_browser):
            assert browser is not recording_browser
            assert page.context.browser is browser

        def test_other(page, browser):
            assert page.context.browser is browser
            assert "undefined" == page.evaluate("typeof gc")
        """
    )

    result = project.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=2)


def test_projects_browser_records_if_the_option_requests_it(pytester: pytest.Pytester) -> None:
    """With --recordings-browser project, all tests use one browser, with the arguments from recording_launch_args."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def browser_type_launch_args(browser_type_launch_args, recording_launch_args):
            return recording_launch_args({**browser_type_launch_args, "args": ["--user-agent=Shop"]})
        """
    )
    pytester.makepyfile(
        FALLBACKS
        + """
    def test_room(room, page, browser, recording_browser):
        assert recording_browser is browser
        assert page.context.browser is browser
        assert "Shop" == page.evaluate("navigator.userAgent")
        assert () == fallbacks(room, room.join("alice"))

    def test_other(page):
        assert "Shop" == page.evaluate("navigator.userAgent")
    """
    )

    result = pytester.runpytest_subprocess(*QUIET, *PROJECT)

    result.assert_outcomes(passed=2)


def test_projects_browser_without_the_arguments_is_refused(project: pytest.Pytester) -> None:
    """The error names the fixture that the project must override, and other tests still pass."""
    project.makepyfile("def test_room(room): pass\n\ndef test_other(page): pass")

    result = project.runpytest_subprocess(*QUIET, *PROJECT)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        "*--recordings-browser project: the project's browser lacks the arguments for recording. Return "
        "recording_launch_args(browser_type_launch_args) from the project's fixture browser_type_launch_args.*"
    )


def test_browser_that_does_not_start_is_reported_in_one_line(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no browser is found, or if it does not start, the error contains the reason, the remedy and no traceback."""
    pytester.makepyfile("def test_room(room): pass")
    silent = pytester.path / "silent"
    silent.write_text("#!/bin/sh\necho Chromium 156.0.8078.79\n")
    silent.chmod(0o700)
    for path, message in (
        (Path("/nonexistent"), "*CHROME_PATH: /nonexistent is not an executable program; give the path to *"),
        (silent, "*The browser for recording failed to start: * Run 'harness doctor' for details.*"),
    ):
        monkeypatch.setenv("CHROME_PATH", str(path))

        result = pytester.runpytest_subprocess(*QUIET)

        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(message)
        result.stdout.no_fnmatch_line("*harness/pytest_plugin/*")
        result.stdout.no_fnmatch_line("*harness.errors.*")


def test_remote_browser_that_does_not_answer_is_named(pytester: pytest.Pytester) -> None:
    """If no server answers at the address given with --room-connect, the error contains the option and the address."""
    pytester.makepyfile("def test_room(room): pass")

    result = pytester.runpytest_subprocess(*QUIET, "--room-connect", "ws://127.0.0.1:9/")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*--room-connect: ws://127.0.0.1:9/ can't be used: *")
    result.stdout.no_fnmatch_line("*harness/pytest_plugin/*")
