"""Tests that use the page in real Chrome as a user would, through names, labels and buttons."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import BrowserContext, expect

from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions
from tests.support.page_actions import (
    Visit,
    button,
    is_audible,
    join,
    tile,
    wait_until_recorded,
    wait_until_video_plays,
)
from tests.support.program import running_harness

pytestmark = pytest.mark.parallel

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


def test_two_participants_meet_and_one_downloads_the_recording(
    open_server: RoomServer, visit: Visit, read_back: Callable[[Path], Any], tmp_path: Path
) -> None:
    """Both participants receive each other's media, and each recording button is enabled only while it can be used."""
    alice, bob = visit(open_server.url), visit(open_server.url)
    calls = {name: button(alice, name) for name in ("Start", "Stop", "Download", "Discard")}

    def only(*names: str) -> None:
        for name, call in calls.items():
            expect(call).to_be_enabled(enabled=name in names)

    join(alice, "Alice", media="Camera and microphone")
    join(bob, "Bob")
    wait_until_video_plays(alice, "Bob")
    wait_until_video_plays(bob, "Alice")
    assert is_audible(alice, "Bob")
    # Playing Alice's own audio to her would cause an echo.
    assert not is_audible(alice, "Alice")
    only("Start")

    alice.get_by_label("File name").fill("standup")
    started = time.monotonic()
    calls["Start"].click()
    wait_until_recorded(alice, seconds=2)
    only("Stop")
    calls["Stop"].click()
    expect(alice.get_by_text("The recording is in this room's list")).to_be_visible()
    elapsed = time.monotonic() - started
    only("Start", "Download", "Discard")
    with alice.expect_download() as begun:
        calls["Download"].click()
    path = tmp_path / begun.value.suggested_filename
    begun.value.save_as(path)
    expect(alice.get_by_text("Downloaded.")).to_be_visible()
    expect(alice.locator("#file").get_by_text("standup.webm")).to_be_visible()
    calls["Discard"].click()
    only("Start")
    button(alice, "Leave").click()

    media = read_back(path)
    assert "standup.webm" == path.name
    assert {"vp9", "opus"} == media.codecs
    assert {(640, 360)} == media.sizes
    # Stop was clicked when the clock showed 0:02.
    assert 1.9 < media.video_times[-1] / 1000 < elapsed
    expect(alice.get_by_label("Your name")).to_be_focused()
    expect(tile(bob, "Alice")).to_have_count(0)


def test_a_participant_who_leaves_while_recording_can_still_download(open_server: RoomServer, visit: Visit) -> None:
    """Leaving ends the recording, and the join form then offers the file for download."""
    page = visit(open_server.url)
    join(page, "Alice")
    button(page, "Start").click()
    expect(button(page, "Stop")).to_be_enabled()

    button(page, "Leave").click()

    with page.expect_download() as begun:
        button(page, "Download").click()
    assert begun.value.suggested_filename.endswith(".webm")


def test_a_camera_that_is_off_leaves_a_placeholder_with_the_initial(open_server: RoomServer, visit: Visit) -> None:
    """Alice sees a placeholder while Bob's camera is off.

    When Bob's camera is on again, the same video element reappears.
    """
    alice, bob = visit(open_server.url), visit(open_server.url)
    join(alice, "Alice")
    join(bob, "Bob")
    wait_until_video_plays(alice, "Bob")
    video = tile(alice, "Bob").locator("video")
    before = video.element_handle()

    button(bob, "Camera").click()
    button(bob, "Microphone").click()

    expect(video).to_be_hidden()
    expect(tile(alice, "Bob").get_by_text("B", exact=True)).to_be_visible()
    expect(tile(alice, "Bob").get_by_label("microphone off")).to_be_visible()
    expect(button(bob, "Camera")).to_have_attribute("aria-pressed", "false")

    button(bob, "Camera").click()

    expect(video).to_be_visible()
    assert video.evaluate("(video, before) => video === before", before)


def test_options_chosen_on_the_page_apply_to_the_recording(
    open_server: RoomServer, visit: Visit, read_back: Callable[[Path], Any], tmp_path: Path
) -> None:
    """The file has the chosen size and codec, even though a screen is shared during the recording."""
    alice = visit(open_server.url)
    join(alice, "Alice")
    alice.get_by_label("Layout").select_option("Active speaker")
    alice.get_by_label("Quality").select_option("720p")
    alice.get_by_label("Codec").select_option("VP8")
    alice.get_by_label("Show names in the video").uncheck()

    button(alice, "Start").click()
    expect(button(alice, "Stop")).to_be_enabled()
    button(alice, "Screen").click()
    expect(button(alice, "Screen")).to_have_attribute("aria-pressed", "true")
    expect(button(alice, "Screen")).to_be_enabled()
    button(alice, "Screen").click()
    expect(button(alice, "Screen")).to_have_attribute("aria-pressed", "false")
    button(alice, "Stop").click()
    with alice.expect_download() as begun:
        button(alice, "Download").click()
    begun.value.save_as(tmp_path / "screen.webm")

    media = read_back(tmp_path / "screen.webm")
    assert {"vp8", "opus"} == media.codecs
    assert {(1280, 720)} == media.sizes


@pytest.mark.parametrize(
    ("size", "scheme", "locale"),
    [
        pytest.param((1280, 800), "light", "en-GB", id="desktop", marks=pytest.mark.thorough),
        pytest.param((1280, 800), "dark", "zh-CN", id="desktop, dark, Chinese"),
        pytest.param((390, 844), "dark", "en-GB", id="phone, dark"),
    ],
)
def test_the_page_has_no_accessibility_violations(
    open_server: RoomServer, visit: Visit, size: tuple[int, int], scheme: Literal["light", "dark"], locale: str
) -> None:
    """In every state of the page, axe-core finds no violations of its rules, including its best practices."""
    page = visit(open_server.url, color_scheme=scheme, locale=locale)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    session = page.context.new_cdp_session(page)
    # This test finds elements by ID, because it also tests the Chinese page.
    on = page.locator

    def check(state: str) -> None:
        # Inject axe-core through the DevTools protocol, because the content security policy blocks other scripts.
        session.send("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
        found = page.evaluate("() => axe.run({ resultTypes: ['violations', 'passes'] })")
        violations = [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]
        assert [] == violations, state
        assert len(found["passes"]) > 20, state

    on("#join-devices summary").click()
    expect(on("#join-camera option")).to_have_count(2)
    check("the lobby")
    on("#look").click()
    expect(on("#library")).to_be_visible()
    check("the recordings before joining")
    on("#look").click()
    on("#join-name").fill("Alice")
    on("input[value=synthetic]").check()
    on("#join-button").click()
    wait_until_video_plays(page, "Alice")
    check("the room")
    on("#devices").click()
    check("the devices")
    on("#device-close").click()
    on("#start").click()
    expect(on("#health-frame-rate")).to_contain_text(re.compile(r"1[45]\.\d"))
    check("a recording")
    on("#stop").click()
    expect(on("#download")).to_be_enabled()
    on(".entry").first.click()
    on("#player-verify").click()
    expect(on("#report-link")).to_be_visible(timeout=30_000)
    check("a report")
    on("#player-delete").click()
    check("the delete confirmation")


def test_the_page_can_be_used_with_the_keyboard_only(open_server: RoomServer, visit: Visit) -> None:
    """The name field has the focus first, and Tab reaches every button.

    Joining moves the focus to the room's heading. Starting and stopping a recording move the focus to the next button.
    """
    page = visit(open_server.url)
    expect(page.get_by_label("Your name")).to_be_focused()

    page.keyboard.type("Alice")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Recording room")).to_be_focused()
    page.keyboard.press("Tab")
    expect(button(page, "Microphone")).to_be_focused()
    page.keyboard.press("Space")
    expect(button(page, "Microphone")).to_have_attribute("aria-pressed", "false")
    for _ in ("Camera", "Screen", "Devices", "Leave", "Start"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(button(page, "Stop")).to_be_focused()
    page.keyboard.press("Enter")
    expect(button(page, "Download")).to_be_focused()


def test_a_join_without_a_name_shows_the_error_at_the_field(open_server: RoomServer, visit: Visit) -> None:
    """If the name is missing, its field gets the focus and is marked as invalid, and the error appears next to it."""
    page = visit(open_server.url)

    button(page, "Join").click()

    name = page.get_by_label("Your name")
    expect(name).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_accessible_description("Enter your name.")


@pytest.mark.alone
def test_a_room_with_a_join_code_requires_it(visit: Visit, tmp_path: Path) -> None:
    """The page asks for the join code, reports a missing or wrong code, and accepts the correct code."""
    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(public_room="room", join_code="open sesame")
    ) as server:
        page = visit(server.url)
        code = page.get_by_label("Code", exact=True)
        page.get_by_label("Your name").fill("Alice")
        page.get_by_label("Synthetic").check()
        expect(code).to_be_visible()

        button(page, "Join").click()
        expect(page.get_by_text("This room requires a code.")).to_be_visible()
        expect(code).to_be_focused()
        code.fill("open")
        code.press("Enter")
        expect(page.get_by_text("This is not the join code")).to_be_visible()
        code.fill("open sesame")
        code.press("Enter")

        expect(tile(page, "Alice (you)")).to_be_visible()
        # Close the page before the server, or the page would log a lost connection.
        page.close()


def test_a_page_driven_by_python_shows_nothing(open_server: RoomServer, visit: Visit) -> None:
    """With ``view=off``, the page does not show its user interface."""
    page = visit(f"{open_server.url}/?view=off")

    expect(page.get_by_role("main")).to_be_hidden()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_stopped_server_keeps_the_recording_in_progress(
    new_context: Callable[[], BrowserContext],
    read_back: Callable[[Path], Any],
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    """After SIGINT or SIGHUP, harness serve finishes the recording in progress and prints its path."""
    with running_harness("serve", "--port", "0", folder=tmp_path) as program:
        assert program.stderr is not None
        url = program.stderr.readline().split()[-1]
        page = new_context().new_page()
        page.goto(url)
        join(page, "Alice")
        button(page, "Start").click()
        wait_until_recorded(page, seconds=2)

        os.killpg(program.pid, number)
        assert 128 + number == program.wait(20)
        output = program.stderr.read()

    (path,) = re.findall(r"^Saved (.*\.webm)$", output, flags=re.MULTILINE)
    assert 1.5 < read_back(Path(path)).video_times[-1] / 1000 < 5
