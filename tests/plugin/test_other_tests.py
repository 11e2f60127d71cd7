"""The plugin does not change tests that do not use its fixtures."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

pytestmark = pytest.mark.parallel

QUIET = ("-p", "no:cacheprovider")
WITHOUT_THE_PLUGIN = ("-p", "no:harness")
# JavaScript that returns everything that a page can notice about its browser.
FACTS = """
async () => ({
  webdriver: navigator.webdriver,
  userAgent: navigator.userAgent,
  window: [outerWidth, outerHeight, innerWidth, innerHeight, devicePixelRatio],
  gc: typeof gc,
  sharedMemory: typeof SharedArrayBuffer,
  devices: (await navigator.mediaDevices.enumerateDevices()).map(({ kind, label }) => [kind, label]),
  permissions: await Promise.all(
    ['camera', 'microphone', 'notifications'].map(async (name) => (await navigator.permissions.query({ name })).state),
  ),
})
"""
OTHER_TEST = """
    import json
    from pathlib import Path

    import psutil

    PAGE = "<title>Shop</title><h1 style='font-family: sans-serif'>Three apples</h1><input type='date'>"

    def test_page(browser, page, browser_type_launch_args, connect_options, browser_context_args, request):
        page.route("https://shop.test/", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
        page.goto("https://shop.test/")
        processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
        (chrome,) = [psutil.Process(one["id"]) for one in processes if one["type"] == "browser"]
        facts = {
            "page": page.evaluate(Path("facts.js").read_text()),
            "command line": [one for one in chrome.cmdline() if not one.startswith("--user-data-dir=")],
            "same browser": page.context.browser is browser,
            "launch": browser_type_launch_args,
            "connect": connect_options,
            "context": browser_context_args,
            "fixtures": request.node.fixturenames,
            "markers": [str(one) for one in request.node.iter_markers()],
        }
        Path("facts.json").write_text(json.dumps(facts))
"""


@dataclass(frozen=True)
class Outcome:
    """What a run of the other project's test noticed, and the artifacts that pytest-playwright stored for the test."""

    facts: dict[str, Any]
    artifacts: list[str]
    screenshot: bytes


def run_other_test(project: pytest.Pytester, *arguments: str) -> Outcome:
    """Run tests in the other project, and return the outcome of ``test_page`` in ``test_others.py``."""
    options = ("--tracing", "on", "--screenshot", "on")
    result = project.runpytest_subprocess(*QUIET, *options, *arguments)
    outcomes = result.parseoutcomes()
    assert {"failed", "errors"}.isdisjoint(outcomes)
    (folder,) = (project.path / "test-results").glob("test-others-py-*")
    return Outcome(
        facts=json.loads((project.path / "facts.json").read_text()),
        artifacts=sorted(path.name for path in folder.iterdir()),
        screenshot=(folder / "test-finished-1.png").read_bytes(),
    )


@pytest.mark.parametrize("before", [(), ("test_a_room.py",)], ids=["alone", "after_a_room"])
def test_other_tests_notice_no_difference(project: pytest.Pytester, before: tuple[str, ...]) -> None:
    """Browser, arguments, permissions, devices, fixtures, artifacts and screenshots are the same without the plugin.

    This is also true if a test with a room has run before in the same process.
    """
    project.makepyfile(test_others=OTHER_TEST, test_a_room='def test_room(room): room.join("alice")')
    project.makefile(".js", facts=FACTS)
    without = run_other_test(project, *WITHOUT_THE_PLUGIN, "test_others.py")

    with_plugin = run_other_test(project, *before, "test_others.py")

    assert without.facts == with_plugin.facts
    assert without.artifacts == with_plugin.artifacts
    assert without.screenshot == with_plugin.screenshot


def test_warnings_of_other_tests_stay(project: pytest.Pytester) -> None:
    """The plugin hides no warning of a test that does not use its fixtures."""
    project.makepyfile(
        """
        import warnings

        class TestShop:
            def test_page(self, page):
                warnings.warn("low stock")
        """
    )

    without, with_plugin = (
        project.runpytest_subprocess(*QUIET, *options).parseoutcomes() for options in (WITHOUT_THE_PLUGIN, ())
    )

    assert 1 == with_plugin["passed"]
    assert without == with_plugin


def test_other_tests_run_in_firefox(pytester: pytest.Pytester) -> None:
    """With --browser firefox, the plugin adds no arguments, and only tests with its fixtures fail."""
    pytester.makepyfile(
        """
        def test_other(browser_name, browser_type, browser_type_launch_args, connect_options):
            assert ("firefox", "firefox") == (browser_name, browser_type.name)
            assert {} == browser_type_launch_args
            assert connect_options is None

        def test_room(room):
            pass

        def test_attach(attach, page):
            pass
        """
    )

    result = pytester.runpytest_subprocess(*QUIET, "--browser", "firefox")

    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines("*NotSupportedError: firefox can't record a room: *--browser chromium).")


def test_plugin_can_be_turned_off(pytester: pytest.Pytester) -> None:
    """With -p no:harness, pytest has neither the plugin's fixtures nor its options."""
    pytester.makepyfile("def test_other(): pass\n\ndef test_room(room): pass")

    result = pytester.runpytest_subprocess(*QUIET, *WITHOUT_THE_PLUGIN)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines("*fixture 'room' not found")
    result.stdout.no_fnmatch_line("*recording_browser*")


def test_other_tests_run_their_own_event_loops(ordered_project: pytest.Pytester) -> None:
    """A test that uses asyncio passes between and after tests with a room, although Playwright has an event loop."""
    ordered_project.makepyfile(
        """
        import asyncio

        import pytest

        async def answer():
            await asyncio.sleep(0)
            return 42

        def test_first_room(room):
            room.join("alice")

        def test_between():
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            assert 42 == asyncio.run(answer())

        def test_second_room(room):
            alice = room.join("alice")
            assert 2 == alice.page.evaluate("1 + 1")

        def test_last():
            assert 42 == asyncio.run(answer())
        """
    )

    result = ordered_project.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=4)


def test_page_of_several_tests_survives_other_event_loops(ordered_project: pytest.Pytester) -> None:
    """The first call in a test can be one that needs Playwright's event loop, although asyncio was used before."""
    ordered_project.makepyfile(
        """
        import asyncio

        import pytest

        @pytest.fixture(scope="session")
        def shared_page(recording_browser):
            return recording_browser.new_page()

        def test_first(shared_page):
            assert "about:blank" == shared_page.url

        def test_between():
            asyncio.run(asyncio.sleep(0))

        def test_popup(shared_page):
            with shared_page.expect_popup() as popup:
                shared_page.evaluate("() => { window.open('about:blank'); }")
            assert "about:blank" == popup.value.url
        """
    )

    result = ordered_project.runpytest_subprocess(*QUIET)

    result.assert_outcomes(passed=3)
