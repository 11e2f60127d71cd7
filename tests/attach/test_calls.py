"""Record calls in applications that use simple-peer, PeerJS, LiveKit or Janus, each in the application's own page."""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import jwt
import pytest

from harness import (
    InvalidStateError,
    Limits,
    Participant,
    verify,
)
from tests.support.application_calls import SMALL, meet, record_call
from tests.support.media.recording_file import write_media
from tests.support.media.scene import PlannedParticipant, Scene
from tests.support.processes import added_niceness, renderer_of
from tests.support.reports import audible_share, check_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psutil
    from playwright.sync_api import Browser, BrowserContext

    from harness import Room
    from tests.support.servers.application_site import Site
    from tests.support.servers.janus import Janus

    Enter = Callable[..., Participant]


def test_participants_of_a_strict_application_are_recorded_and_identified(room: Room, enter: Enter, site: Site) -> None:
    """The application uses HTTPS, cross-origin isolation, a content security policy and Trusted Types."""
    alice, bob, carol = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob", "carol"))
    meet(room, alice, bob, carol)

    report = check_recording(record_call(room, alice), crowded=True)

    assert ["alice", "bob", "carol"] == [one.name for one in report.participants]
    for name in ("alice", "bob", "carol"):
        assert report.participant(name).is_audible(0.5, 2.5)


@pytest.mark.skipif(sys.platform != "linux", reason="On other systems threads have no nice values.")
def test_other_pages_have_lower_priority_than_the_recording_page(room: Room, enter: Enter, site: Site) -> None:
    """When CPU time is scarce, the recording page has priority, although all pages belong to the same browser."""
    present: list[Participant] = []
    processes: list[psutil.Process] = []
    for name in ("alice", "bob", "carol"):
        present.append(enter(f"{site.url}/simple-peer.html", name))
        processes.append(renderer_of(present[-1], besides=processes))
    alice, bob, carol = present
    meet(room, alice, bob, carol)
    assert [0, 0, 0] == [added_niceness(one) for one in processes]

    alice.start_media_recording(record_config=SMALL)

    assert [0, 10, 10] == [added_niceness(one) for one in processes]
    alice.stop_media_recording()


def test_page_that_is_no_longer_attached_keeps_its_priority(room: Room, enter: Enter, site: Site) -> None:
    """After Bob was closed, his page stays open, but it belongs only to the application."""
    alice = enter(f"{site.url}/simple-peer.html", "alice")
    bob = enter(f"{site.url}/simple-peer.html", "bob")
    process = renderer_of(bob)
    meet(room, alice, bob)
    bob.close()

    alice.start_media_recording(record_config=SMALL)

    assert not bob.page.is_closed()
    assert 0 == added_niceness(process)
    alice.stop_media_recording()


def test_priorities_stay_the_same_while_another_program_traces_the_browser(
    room: Room, enter: Enter, site: Site, browser: Browser
) -> None:
    """Chrome names a page's processes only in a trace, and there can be only one trace at a time."""
    alice = enter(f"{site.url}/simple-peer.html", "alice")
    bob = enter(f"{site.url}/simple-peer.html", "bob")
    process = renderer_of(bob)
    meet(room, alice, bob)
    browser.start_tracing()

    alice.start_media_recording(record_config=SMALL)

    assert browser.stop_tracing()
    assert 0 == added_niceness(process)
    alice.stop_media_recording()


def test_local_recording_contains_only_what_the_page_sends(room: Room, enter: Enter, site: Site) -> None:
    """Bob is in the same call, but not in Alice's local recording."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)

    report = check_recording(record_call(room, alice, recorder="local"), crowded=True)

    assert ["alice"] == [one.name for one in report.participants]
    # The harness can't mute Bob, because his tracks belong to the application.
    with pytest.raises(InvalidStateError, match="The application controls the microphone and camera"):
        bob.mute()


def test_participants_join_mute_and_hang_up_in_the_recording(room: Room, enter: Enter, site: Site) -> None:
    """The participants use the application's own buttons, and the report shows when each change happened."""
    alice = enter(f"{site.url}/simple-peer.html", "alice")
    bob = enter(f"{site.url}/simple-peer.html", "bob")
    meet(room, alice, bob)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=2)
    bob.page.get_by_role("button", name="Mute").click()
    room.wait(seconds=2)
    bob.page.get_by_role("button", name="Mute").click()
    carol = enter(f"{site.url}/simple-peer.html", "carol")
    meet(room, alice, bob, carol)
    joined_at = alice.get_media_recording().elapsed
    room.wait(seconds=2)
    bob.page.get_by_role("button", name="Hang up").click()
    room.wait_for(lambda: alice.others == ["carol"], what="bob to leave")
    left_at = alice.get_media_recording().elapsed
    room.wait(seconds=2)
    alice.stop_media_recording()

    report = check_recording(alice.download_media_recording(), crowded=True)

    bob_in_report, carol_in_report = report.participant("bob"), report.participant("carol")
    assert not bob_in_report.is_audible(2.7, 3.8)
    # Many pages share the processors here, so that short gaps are possible.
    assert audible_share(bob_in_report, joined_at + 0.3, left_at - 1) > 0.9
    assert carol_in_report.is_audible(joined_at + 0.5, left_at + 1)
    assert bob_in_report.present[-1][1] == pytest.approx(left_at, abs=1)


def test_replaced_camera_track_is_recorded(room: Room, enter: Enter, site: Site, peer_server: int) -> None:
    """Two participants use PeerJS with its own server, switch cameras while recording, and hang up at the end."""
    bob = enter(f"{site.url}/peerjs.html?me=bob&port={peer_server}", "bob")
    bob.page.get_by_text("ready").wait_for()
    alice = enter(f"{site.url}/peerjs.html?me=alice&call=bob&port={peer_server}", "alice")
    meet(room, alice, bob)

    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=2)
    bob.page.get_by_role("button", name="Camera").click()
    alice.page.get_by_role("button", name="Camera").click()
    alice.page.get_by_text("another camera").wait_for()
    room.wait(seconds=2)
    alice.stop_media_recording()
    report = check_recording(alice.download_media_recording(), crowded=True)

    assert report.participant("bob").is_audible(0.5, 3.5)
    bob.page.get_by_role("button", name="Hang up").click()
    room.wait_for(lambda: alice.others == [], what="bob to leave", timeout=20)


def _livekit_query(name: str) -> str:
    """Return the URL query that a participant needs to join through LiveKit."""
    server = os.environ.get("LIVEKIT_URL")
    if not server:
        return urlencode({"me": name})
    key, secret = os.environ["LIVEKIT_API_KEY"], os.environ["LIVEKIT_API_SECRET"]
    grant = {"iss": key, "sub": name, "exp": time.time() + 600, "video": {"room": "harness", "roomJoin": True}}
    return urlencode({"me": name, "server": server, "token": jwt.encode(grant, secret, "HS256")})


@pytest.mark.thorough
def test_call_of_livekits_client_is_recorded_and_continues(room: Room, enter: Enter, site: Site) -> None:
    """One connection carries all participants' tracks. Downloading a recording does not end the call.

    If LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET are set, the test uses the specified server instead of our
    own.
    """
    alice, bob = (enter(f"{site.url}/livekit.html?{_livekit_query(name)}", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    recording = record_call(room, alice)
    # LiveKit's client hangs up when the user leaves the page, so a download must not look like leaving the page.
    assert ["bob"] == alice.others
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=2)
    bob.page.get_by_role("button", name="Mute").click()
    room.wait(seconds=2)
    bob.page.get_by_role("button", name="Leave").click()
    room.wait_for(lambda: alice.others == [], what="bob to leave", timeout=5)
    left_at = alice.get_media_recording().elapsed
    room.wait(seconds=1)
    alice.stop_media_recording()

    # Use lenient limits, because our server decodes and encodes all media in Python, on the same machine as Chrome.
    busy = Limits(
        own_av_offset_ms=250,
        audio_early_ms=400,
        audio_late_ms=400,
        av_offset_p95_ms=1000,
        repeated_percent=30,
        delay_ms=2000,
        delay_p95_ms=4000,
    )
    report = verify(recording, limits=busy)
    again = verify(alice.download_media_recording(), limits=busy)

    report.raise_for_failures()
    again.raise_for_failures()
    # Our server is slow and may cause a gap in the audio, but at least one of these intervals must be free of gaps.
    assert any(report.participant("bob").is_audible(start, start + 0.7) for start in (0.7, 1.4, 2.1))
    assert not again.participant("bob").is_audible(3, 3.8)
    assert again.participant("bob").present[-1][1] == pytest.approx(left_at, abs=1)


# JavaScript that returns the width of every video that the page receives.
_WIDTHS = """async () => {
  const { connections } = window[Symbol.for('recording-harness')];
  const reports = await Promise.all([...connections].map((connection) => connection.getStats()));
  return reports.flatMap((report) => [...report.values()])
    .filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video')
    .map(({ frameWidth }) => frameWidth);
}"""


def test_call_through_janus_with_simulcast_is_recorded(room: Room, enter: Enter, site: Site, janus: Janus) -> None:
    """All tracks arrive on one connection. The size of Bob's video changes, and Dave joins after Carol leaves."""
    server = urlencode({"room": "call", "server": janus.url, "token": janus.token()})
    # Only Bob sends three sizes of his video, at 15 fps, because the server and all browsers share two CPU cores.
    sizes = {"bob": "&sizes"}
    alice, bob, carol = (
        enter(f"{site.url}/janus.html?me={name}&{server}{sizes.get(name, '')}", name)
        for name in ("alice", "bob", "carol")
    )
    meet(room, alice, bob, carol)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1)

    def receives(width: int) -> bool:
        return width in alice.page.evaluate(_WIDTHS)

    for size, width in ((0, 240), (1, 480)):
        alice.page.evaluate("(size) => choose(size)", size)
        room.wait_for(partial(receives, width), what=f"video {width} wide")
        room.wait(seconds=1)
    bob.page.get_by_role("button", name="Mute").click()
    muted = alice.get_media_recording().elapsed
    room.wait(seconds=2)
    carol.page.get_by_role("button", name="Leave").click()
    room.wait_for(lambda: alice.others == ["bob"], what="carol to leave", timeout=5)
    left_at = alice.get_media_recording().elapsed
    # After Carol has left, the server sends Dave's tracks on the transceivers that carried hers.
    dave = enter(f"{site.url}/janus.html?me=dave&{server}", "dave")
    meet(room, alice, bob, dave)
    joined_at = alice.get_media_recording().elapsed
    room.wait(seconds=2)
    alice.stop_media_recording()

    report = check_recording(alice.download_media_recording(), crowded=True)

    bob_in_report, carol_in_report = report.participant("bob"), report.participant("carol")
    assert audible_share(report.participant("dave"), joined_at + 0.3, joined_at + 1.7) > 0.8
    # The server and all browsers share the processors, which may cause short gaps in the audio.
    assert audible_share(bob_in_report, 0.5, muted - 0.5) > 0.8
    assert audible_share(bob_in_report, muted + 0.7, left_at) < 0.1
    assert audible_share(carol_in_report, 0.5, left_at - 1) > 0.8
    assert carol_in_report.present[-1][1] == pytest.approx(left_at, abs=1)


def test_participant_without_a_marker_is_unidentified(
    room: Room, enter: Enter, site: Site, new_context: Callable[..., BrowserContext]
) -> None:
    """A participant without a marker is recorded, and listed as unidentified."""
    alice = enter(f"{site.url}/simple-peer.html", "alice")
    other_page = new_context(ignore_https_errors=True).new_page()
    other_page.goto(f"{site.url}/simple-peer.html")
    room.wait_for(lambda: alice.others == ["unidentified 1"], what="the unidentified participant", timeout=20)

    recording = record_call(room, alice)
    check_recording(recording, crowded=True)

    manifest = json.loads(recording.manifest.read_text(encoding="utf-8"))
    assert [{"name": "alice", "marker": 0}, {"name": "unidentified 1", "marker": None}] == manifest["timeline"][
        "members"
    ]


@pytest.mark.thorough
def test_video_file_becomes_the_applications_camera(room: Room, enter: Enter, site: Site, tmp_path: Path) -> None:
    """The application sends the video file, so the marker in the file appears in the other participant's recording."""
    video_file = tmp_path / "camera.webm"
    write_media(
        video_file, Scene(participants=(PlannedParticipant(name="actor", marker=9),), width=640, height=360, seconds=8)
    )
    alice = enter(f"{site.url}/simple-peer.html", "alice")
    bob = enter(f"{site.url}/simple-peer.html", "bob", media=video_file)
    meet(room, alice, bob)

    report = verify(record_call(room, alice))

    wrong = {finding.check for finding in report.findings if finding.result == "failed"}
    assert wrong == {"unexpected"}
    assert report.participant("marker 9").is_audible(0.5, 2.5)
    assert "Video file camera" in bob.page.evaluate(
        "async () => (await navigator.mediaDevices.enumerateDevices()).map(({ label }) => label)"
    )
