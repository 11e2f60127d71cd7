"""Tests in which several users share a room; all of them can play, verify, download and delete its recordings."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from harness.launch import serve_public_room
from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions
from tests.support.page_actions import Visit, button, join, tile, wait_until_recorded, wait_until_video_plays
from tests.support.servers.service import free_port

pytestmark = pytest.mark.parallel

# JavaScript that requests a viewer's token as the page does, and keeps the connection open.
_REQUEST_VIEWER_ACCESS = """() => new Promise((resolve) => {
    globalThis.kept = new WebSocket(location.origin.replace('http', 'ws') + '/signal');
    kept.onopen = () => kept.send(JSON.stringify({ type: 'hello', role: 'viewer', code: 'see the list' }));
    kept.onmessage = ({ data }) => resolve(JSON.parse(data).token);
})"""
# JavaScript that tries to start a recording with the given token.
_START_RECORDING = """(token) => new Promise((resolve) => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/spool');
    socket.onopen = () => socket.send(JSON.stringify({
        type: 'hello', token, recorder: 'all', config: {}, mime_type: 'audio/webm;codecs=opus',
        width: null, height: null, frame_rate: null, clock: { offset: 0, error: 1 },
    }));
    socket.onmessage = ({ data }) => resolve(JSON.parse(data));
})"""


def entry(page: Page, name: str) -> Locator:
    """Return the entry for a recording in the page's list."""
    return page.get_by_role("region", name="Recordings in this room").get_by_role("button", name=name)


def record(page: Page, name: str) -> None:
    """Record for two seconds with the given file name."""
    page.get_by_label("File name").fill(name)
    button(page, "Start").click()
    wait_until_recorded(page, seconds=2)
    button(page, "Stop").click()
    expect(button(page, "Download")).to_be_enabled()


@pytest.mark.alone
def test_two_participants_use_the_page_at_the_same_time(
    open_server: RoomServer, visit: Visit, read_back: Callable[[Path], Any]
) -> None:
    """Alice and Bob record at the same time and see both recordings; Alice verifies and deletes Bob's recording."""
    alice, bob = visit(open_server.url), visit(open_server.url)
    join(alice, "Alice")
    join(bob, "Bob")
    wait_until_video_plays(alice, "Bob")
    wait_until_video_plays(bob, "Alice")

    alice.get_by_label("File name").fill("of alice")
    bob.get_by_label("File name").fill("of bob")
    button(alice, "Start").click()
    # Alice must start recording first, because the page lists the most recent recording first.
    expect(entry(alice, "of alice").get_by_label("recording in progress")).to_be_visible()
    button(bob, "Start").click()
    for page in (alice, bob):
        for name in ("of alice", "of bob"):
            expect(entry(page, name).get_by_label("recording in progress")).to_be_visible()
    expect(alice.get_by_text("2 participants · recorded by Bob, Alice")).to_be_visible()
    wait_until_recorded(alice, seconds=3)
    button(bob, "Stop").click()
    button(alice, "Stop").click()
    for page in (alice, bob):
        for name in ("of alice", "of bob"):
            expect(entry(page, name).get_by_label("recording in progress")).to_have_count(0)
            expect(entry(page, name)).to_contain_text("360p")

    assert {(640, 360)} == read_back(open_server.recordings / "of alice.webm").sizes
    assert {(640, 360)} == read_back(open_server.recordings / "of bob.webm").sizes

    entry(alice, "of bob").click()
    button(alice, "Verify").click()
    expect(alice.get_by_role("dialog").get_by_text("✓ Passed")).to_be_visible(timeout=30_000)
    expect(entry(bob, "of bob").get_by_label("passed")).to_be_visible()
    alice.keyboard.press("Escape")

    entry(bob, "of alice").click()
    bob.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).dblclick()
    # A double click must not delete the recording without confirmation.
    expect(bob.get_by_role("dialog").get_by_role("button", name="Delete", exact=True)).to_be_focused()
    bob.keyboard.press("Escape")
    expect(entry(bob, "of alice")).to_be_focused()

    entry(alice, "of bob").click()
    expect(alice.get_by_role("dialog").get_by_text("✓ Passed")).to_be_visible()
    button(alice, "Delete").click()
    alice.wait_for_timeout(700)
    button(alice, "Delete").click()
    # Bob can no longer download the recording, although he made it.
    expect(button(bob, "Download")).to_be_disabled()
    expect(entry(alice, "of alice")).to_be_focused()
    for page in (alice, bob):
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(entry(page, "of bob")).to_have_count(0)
        expect(entry(page, "of alice")).to_be_visible()
    assert [] == list(open_server.recordings.glob("of bob*"))


def test_the_page_plays_a_recording_and_seeks_in_it(open_server: RoomServer, visit: Visit, tmp_path: Path) -> None:
    """The player can play and seek, the download is identical to the recording, and the report opens in another tab."""
    page = visit(open_server.url)
    join(page, "Alice")
    record(page, "to play")

    entry(page, "to play").click()
    dialog = page.get_by_role("dialog", name="to play.webm")
    video = dialog.locator("video")
    page.wait_for_function("video => video.readyState >= 2", arg=video.element_handle())
    video.evaluate("video => { video.currentTime = 1; return video.play(); }")
    page.wait_for_function("video => video.currentTime > 1.2 && video.videoWidth === 640", arg=video.element_handle())
    with page.expect_download() as begun:
        dialog.get_by_role("button", name="Download").click()
    begun.value.save_as(tmp_path / "home.webm")
    assert (open_server.recordings / "to play.webm").read_bytes() == (tmp_path / "home.webm").read_bytes()

    dialog.get_by_role("button", name="Verify").click()
    with page.expect_popup() as opened:
        dialog.get_by_role("link", name="Full report").click(timeout=30_000)
    report = opened.value
    expect(report.get_by_role("heading", name="to play.webm")).to_be_visible()
    report.wait_for_function("() => document.querySelector('video').videoWidth === 640")
    # The content security policy allows the report's script to run, so clicking the timeline seeks to that time.
    report.locator("#times .lane").first.click()
    report.wait_for_function("() => document.querySelector('video').currentTime > 0.5")
    page.keyboard.press("Escape")
    expect(entry(page, "to play")).to_be_focused()


def test_a_finding_has_a_button_that_plays_from_its_time(open_server: RoomServer, visit: Visit) -> None:
    """A failed report lists its findings. A button next to each finding plays the recording from the finding's time."""
    alice, bob = visit(open_server.url), visit(open_server.url)
    join(alice, "Alice")
    join(bob, "Bob")
    wait_until_video_plays(alice, "Bob")
    # Disable Bob's audio track directly, so that no event reports his microphone as off.
    alice.get_by_label("File name").fill("bad sound")
    button(alice, "Start").click()
    wait_until_recorded(alice, seconds=2)
    bob.evaluate("() => { for (const track of client.media.stream.getAudioTracks()) track.enabled = false; }")
    expect(alice.get_by_role("log", name="Alarms")).to_contain_text("No audio is arriving from Bob.", timeout=10_000)
    wait_until_recorded(alice, seconds=7)
    button(alice, "Stop").click()

    entry(alice, "bad sound").click()
    button(alice, "Verify").click()

    dialog = alice.get_by_role("dialog")
    expect(dialog.get_by_text("✗ Failed")).to_be_visible(timeout=30_000)
    finding = dialog.get_by_role("listitem").filter(has_text="Bob").first
    finding.get_by_role("button", name="Play from").click()
    alice.wait_for_function("() => document.querySelector('#player-video').currentTime > 1")
    expect(entry(alice, "bad sound").get_by_label("a check failed")).to_be_attached()


def test_a_page_outside_the_room_gets_no_access_to_its_recordings(open_server: RoomServer, visit: Visit) -> None:
    """Without a token for the room, requests for existing and nonexistent recordings get the same refusal."""
    page = visit(open_server.url)
    join(page, "Alice")
    record(page, "secret")
    known = page.evaluate("() => client.room.recordings.find(({ name }) => name === 'secret.webm').id")
    token = page.evaluate("() => client.room.spoolToken")
    ask, ours = page.request, {"Origin": open_server.url}
    refused = {
        (answer.status, answer.text())
        for one in (known, "unknown")
        for headers in (ours, ours | {"Authorization": "Bearer wrong"}, ours | {"Authorization": token})
        for answer in (
            ask.post(f"{open_server.url}/library/{one}/address", headers=headers),
            ask.post(f"{open_server.url}/library/{one}/verify", headers=headers),
            ask.delete(f"{open_server.url}/library/{one}", headers=headers),
        )
    }

    assert {(403, "Not admitted: join the room first.\n")} == refused
    inside = ours | {"Authorization": f"Bearer {token}"}
    assert 404 == ask.post(f"{open_server.url}/library/unknown/address", headers=inside).status
    address = json.loads(ask.post(f"{open_server.url}/library/{known}/address", headers=inside).text())["url"]
    assert 206 == ask.get(open_server.url + address, headers={"Range": "bytes=100-199"}).status
    folder = address.rpartition("/")[0]
    assert 404 == ask.get(f"{open_server.url}{folder}/secret.json").status
    assert 404 == ask.get(f"{open_server.url}{folder}/report.html").status
    assert 204 == ask.delete(f"{open_server.url}/library/{known}", headers=inside).status
    assert 404 == ask.get(open_server.url + address).status


@pytest.mark.alone
def test_a_viewer_sees_the_recordings_and_can_do_nothing_else(visit: Visit, tmp_path: Path) -> None:
    """A viewer with the view code can watch and verify recordings, but can't join, record or delete."""
    recordings = tmp_path / "kept"
    with serve_public_room(
        ServeOptions(join_code="join the room", view_code="see the list"),
        recordings=recordings,
        on_published=lambda _: None,
    ) as server:
        alice, viewer = visit(server.url), visit(server.url, unless="status of 403")
        viewer.get_by_label("Code", exact=True).fill("look in")
        button(viewer, "View recordings only").click()
        expect(viewer.get_by_text("This code does not give access to the recordings.")).to_be_visible()
        viewer.get_by_label("Code", exact=True).fill("see the list")
        button(viewer, "View recordings only").click()
        expect(viewer.get_by_text("No recordings yet.")).to_be_visible()
        expect(viewer.get_by_role("heading", name="Recordings in this room")).to_be_focused()
        alice.get_by_label("Your name").fill("Alice")
        alice.get_by_label("Synthetic").check()
        alice.get_by_label("Code", exact=True).fill("join the room")
        button(alice, "Join").click()
        expect(alice.get_by_text("Only you so far")).to_be_visible()

        alice.get_by_label("File name").fill("standup")
        button(alice, "Start").click()
        expect(entry(viewer, "standup").get_by_label("recording in progress")).to_be_visible()
        wait_until_recorded(alice, seconds=2)
        button(alice, "Stop").click()
        entry(viewer, "standup").filter(has_text="360p").click()
        button(viewer, "Verify").click()
        expect(viewer.get_by_role("dialog").get_by_text("✓ Passed")).to_be_visible(timeout=30_000)
        expect(button(viewer, "Delete")).to_have_count(0)
        viewer.wait_for_function("() => document.querySelector('#player-video').videoWidth === 640")
        expect(alice.get_by_text("Only you so far")).to_be_visible()

        known = alice.evaluate("() => client.room.recordings[0].id")
        token = viewer.evaluate(_REQUEST_VIEWER_ACCESS)
        headers = {"Origin": server.url, "Authorization": f"Bearer {token}"}
        assert 200 == viewer.request.post(f"{server.url}/library/{known}/address", headers=headers).status
        assert 403 == viewer.request.delete(f"{server.url}/library/{known}", headers=headers).status
        assert "Not admitted" in viewer.evaluate(_START_RECORDING, token)["message"]
        button(viewer, "Close").click()
        button(viewer, "Close recordings").click()
        expect(viewer.get_by_role("region", name="Recordings in this room")).to_have_count(0)
        assert (recordings / "standup.webm").is_file()
        # Close the pages before the server, or the pages would try to reconnect.
        viewer.close()
        alice.close()


def test_the_page_shows_the_health_of_a_recording_in_progress(open_server: RoomServer, visit: Visit) -> None:
    """During a recording, the page shows frame rate, bitrate and backlog, and each participant's audio level."""
    page = visit(open_server.url)
    join(page, "Alice")

    button(page, "Start").click()

    expect(page.locator("#health-frame-rate")).to_have_text(re.compile(r"1[45]\.\d fps"))
    expect(page.locator("#health-bitrate")).to_contain_text("bps")
    expect(page.locator("#health-backlog")).to_contain_text("B")
    level = tile(page, "Alice").locator(".level").element_handle()
    page.wait_for_function("bar => Number(bar.style.getPropertyValue('--level')) > 0.2", arg=level)
    button(page, "Microphone").click()
    expect(tile(page, "Alice").locator(".level")).to_be_hidden()


def test_another_microphone_can_be_chosen_in_the_room(open_server: RoomServer, visit: Visit) -> None:
    """Alice joins with the microphone chosen in the lobby, and then switches to another one in the devices dialog."""
    page = visit(open_server.url)
    page.get_by_text("Choose camera and microphone").click()
    page.get_by_role("main").get_by_label("Microphone", exact=True).select_option("Fake Audio Input 1")
    label = "() => client.media.stream.getAudioTracks()[0].label"

    join(page, "Alice", media="Camera and microphone")

    assert "Fake Audio Input 1" == page.evaluate(label)
    button(page, "Devices").click()
    dialog = page.get_by_role("dialog", name="Devices")
    expect(dialog.get_by_label("Microphone").locator("option:checked")).to_have_text("Fake Audio Input 1")
    dialog.get_by_label("Microphone").select_option("Fake Audio Input 2")
    page.wait_for_function(f"() => ({label})() === 'Fake Audio Input 2'")
    button(page, "Close").click()
    wait_until_video_plays(page, "Alice")


@pytest.mark.parametrize("recording", [False, True], ids=["", "while recording"])
def test_participants_rejoin_when_the_server_is_back(visit: Visit, tmp_path: Path, *, recording: bool) -> None:
    """The page reports the lost connection and later rejoins automatically.

    A recording that is in progress when the connection is lost is kept.
    """
    port = free_port()
    with serve_public_room(ServeOptions(port=port), recordings=tmp_path, on_published=lambda _: None) as server:
        page = visit(server.url, unless="ERR_CONNECTION_REFUSED")
        join(page, "Alice")
        if recording:
            page.get_by_label("File name").fill("cut off")
            button(page, "Start").click()
            wait_until_recorded(page, seconds=2)
        server.stop()
        server.publish(tmp_path)
    expect(page.get_by_text("You will rejoin automatically")).to_be_visible(timeout=15_000)

    with serve_public_room(ServeOptions(port=port), recordings=tmp_path, on_published=lambda _: None):
        expect(page.get_by_text("You will rejoin automatically")).to_be_hidden(timeout=15_000)

        wait_until_video_plays(page, "Alice (you)")
        expect(page.get_by_text("Only you so far")).to_be_visible()
        if recording:
            expect(page.get_by_text("The server was unreachable for too long")).to_be_visible()
            expect(entry(page, "cut off")).to_contain_text("360p")
            button(page, "Start").click()
            expect(button(page, "Stop")).to_be_enabled()


def test_devices_that_were_off_stay_off(open_server: RoomServer, visit: Visit) -> None:
    """Choosing another microphone, or ending screen sharing, does not turn on a device that was off."""
    page = visit(open_server.url)
    join(page, "Alice", media="Camera and microphone")
    button(page, "Microphone").click()
    button(page, "Camera").click()

    button(page, "Devices").click()
    page.get_by_role("dialog").get_by_label("Microphone").select_option("Fake Audio Input 2")
    page.wait_for_function("() => client.media.stream.getAudioTracks()[0].label === 'Fake Audio Input 2'")
    button(page, "Close").click()
    expect(button(page, "Microphone")).to_have_attribute("aria-pressed", "false")

    button(page, "Screen").click()
    expect(button(page, "Camera")).to_have_attribute("aria-pressed", "true")
    button(page, "Screen").click()
    expect(button(page, "Screen")).to_have_attribute("aria-pressed", "false")
    expect(button(page, "Camera")).to_have_attribute("aria-pressed", "false")
    assert not page.evaluate("() => client.media.stream.getVideoTracks()[0].enabled")

    button(page, "Screen").click()
    expect(button(page, "Screen")).to_have_attribute("aria-pressed", "true")
    button(page, "Leave").click()
    join(page, "Alice", media="Camera and microphone")
    expect(button(page, "Screen")).to_have_attribute("aria-pressed", "false")
    expect(button(page, "Camera")).to_have_attribute("aria-pressed", "false")


def test_the_page_is_chinese_for_a_chinese_browser(open_server: RoomServer, visit: Visit) -> None:
    """The page starts in the browser's language, and remembers the user's choice of another language."""
    page = visit(open_server.url, locale="zh-CN")
    expect(page.get_by_role("heading", name="录制房间")).to_be_visible()
    expect(page).to_have_title("录制房间")
    page.get_by_label("你的名字").fill("小红")
    page.get_by_label("合成视频和音频").check()
    button(page, "加入").click()
    expect(page.get_by_text("小红（你）")).to_be_visible()
    button(page, "开始").click()
    expect(button(page, "停止")).to_be_enabled()
    expect(page.get_by_text("正在录制所有参与者，360p，15 帧/秒。")).to_be_visible()
    button(page, "停止").click()
    expect(button(page, "下载")).to_be_enabled()
    button(page, "离开").click()

    page.get_by_label("语言").select_option("en")

    expect(page.get_by_role("heading", name="Recording room")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Your name")).to_be_visible()
    assert "en" == page.evaluate("() => document.documentElement.lang")
