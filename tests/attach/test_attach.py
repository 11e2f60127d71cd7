"""Somebody else's application, recorded in its own page: who is in the call, how they are, and what breaks."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import jwt
import pytest
from playwright.sync_api import expect

from harness import (
    ConfigError,
    InvalidStateError,
    Limits,
    NotSupportedError,
    Participant,
    RecordConfig,
    RecordingError,
    attach,
    verify,
)
from harness.browser.pages.application_page import ApplicationPage
from harness.session.recording_events import EVENTS
from tests.support.media.recording_file import write_media
from tests.support.media.scene import PlannedParticipant, Scene
from tests.support.reports import whole
from tests.support.servers.application_site import APPLICATIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page, Route

    from harness import Recording, Room
    from harness.recording.config import Recorder
    from tests.support.servers.application_site import Site
    from tests.support.servers.janus import Janus

    Enter = Callable[..., Participant]

SMALL = RecordConfig(record_name="call")
_STATE_OF = "async (name) => (await navigator.permissions.query({ name })).state"


def meet(room: Room, *people: Participant) -> None:
    """Wait until everybody sees everybody."""
    names = {one.name for one in people}
    for one in people:
        room.wait_for(
            lambda one=one: set(one.others) == names - {one.name}, what=f"everybody in {one.name}'s page", timeout=20
        )


def recorded(room: Room, who: Participant, seconds: float = 3.0, recorder: Recorder = "all") -> Recording:
    """Record for a while."""
    who.start_media_recording(recorder=recorder, record_config=SMALL)
    room.wait(seconds=seconds)
    who.stop_media_recording()
    return who.download_media_recording()


def test_three_people_in_a_strict_application_are_recorded_and_judged(room: Room, enter: Enter, site: Site) -> None:
    """Over https, isolated, with content policy and trusted types: everybody is known by their marks."""
    alice, bob, carol = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob", "carol"))
    meet(room, alice, bob, carol)

    report = whole(recorded(room, alice))

    assert ["alice", "bob", "carol"] == [one.name for one in report.participants]
    for name in ("alice", "bob", "carol"):
        assert report.participant(name).is_audible(0.5, 2.5)


def test_local_holds_only_what_the_page_sends(room: Room, enter: Enter, site: Site) -> None:
    """Although somebody else is in the call."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)

    report = whole(recorded(room, alice, recorder="local"))

    assert ["alice"] == [one.name for one in report.participants]
    # What is sent is the application's to switch.
    with pytest.raises(InvalidStateError, match="the application's own"):
        bob.mute()


def test_who_comes_mutes_and_hangs_up_does_so_in_the_recording(room: Room, enter: Enter, site: Site) -> None:
    """By the application's own buttons; the verdict knows when."""
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
    came = alice.get_media_recording().elapsed
    room.wait(seconds=2)
    bob.page.get_by_role("button", name="Hang up").click()
    room.wait_for(lambda: alice.others == ["carol"], what="bob to be gone")
    left = alice.get_media_recording().elapsed
    room.wait(seconds=2)
    alice.stop_media_recording()

    report = whole(alice.download_media_recording())

    bob_was, carol_was = report.participant("bob"), report.participant("carol")
    assert not bob_was.is_audible(2.7, 3.8)
    assert bob_was.is_audible(came + 0.3, left - 1)
    assert carol_was.is_audible(came + 0.5, left + 1)
    assert bob_was.present[-1][1] == pytest.approx(left, abs=1)


def test_another_track_in_the_cameras_place_is_followed(room: Room, enter: Enter, site: Site, peer_server: int) -> None:
    """PeerJS by its own server, two people; one takes another camera in the middle, and then hangs up."""
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
    report = whole(alice.download_media_recording())

    assert report.participant("bob").is_audible(0.5, 3.5)
    bob.page.get_by_role("button", name="Hang up").click()
    room.wait_for(lambda: alice.others == [], what="bob to be gone", timeout=20)


def _livekit(name: str) -> str:
    """Return the query with which somebody joins by LiveKit."""
    server = os.environ.get("LIVEKIT_URL")
    if not server:
        return urlencode({"me": name})
    key, secret = os.environ["LIVEKIT_API_KEY"], os.environ["LIVEKIT_API_SECRET"]
    grant = {"iss": key, "sub": name, "exp": time.time() + 600, "video": {"room": "harness", "roomJoin": True}}
    return urlencode({"me": name, "server": server, "token": jwt.encode(grant, secret, "HS256")})


@pytest.mark.thorough
def test_a_call_by_livekits_own_client_is_recorded_and_goes_on(room: Room, enter: Enter, site: Site) -> None:
    """Everybody by one connection from a server; who leaves is gone, and a download is no reason to hang up.

    A real server stands in for ours where LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET are set.
    """
    alice, bob = (enter(f"{site.url}/livekit.html?{_livekit(name)}", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    recording = recorded(room, alice)
    # A page that is left hangs up, says its client; this one is not.
    assert ["bob"] == alice.others
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=2)
    bob.page.get_by_role("button", name="Mute").click()
    room.wait(seconds=2)
    bob.page.get_by_role("button", name="Leave").click()
    room.wait_for(lambda: alice.others == [], what="bob to be gone", timeout=5)
    left = alice.get_media_recording().elapsed
    room.wait(seconds=1)
    alice.stop_media_recording()

    # The server decodes and encodes everybody in Python, beside the browsers.
    busy = Limits(own_av_offset_ms=250, av_offset_ms=400, repeated_percent=30)
    report = verify(recording, limits=busy)
    again = verify(alice.download_media_recording(), limits=busy)

    report.raise_for_failures()
    again.raise_for_failures()
    # Its sound may have a hole that the server made; most of it is there.
    assert any(report.participant("bob").is_audible(start, start + 0.7) for start in (0.7, 1.4, 2.1))
    assert not again.participant("bob").is_audible(3, 3.8)
    assert again.participant("bob").present[-1][1] == pytest.approx(left, abs=1)


# Of what size a picture of somebody else comes, among all connections of a page.
WIDTHS = """async () => {
  const { connections } = window[Symbol.for('recording-harness')];
  const reports = await Promise.all([...connections].map((connection) => connection.getStats()));
  return reports.flatMap((report) => [...report.values()])
    .filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video')
    .map(({ frameWidth }) => frameWidth);
}"""


def test_a_call_by_janus_with_simulcast_is_recorded(room: Room, enter: Enter, site: Site, janus: Janus) -> None:
    """Everybody in one connection and one stream; a picture's size changes, somebody leaves, and another comes."""
    server = urlencode({"room": "call", "server": janus.url, "token": janus.token()})
    # Four who sent three sizes each would be more than two cores hold.
    sizes = {"bob": "&sizes"}
    alice, bob, carol = (
        enter(f"{site.url}/janus.html?me={name}&{server}{sizes.get(name, '')}", name)
        for name in ("alice", "bob", "carol")
    )
    meet(room, alice, bob, carol)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1)
    for size, width in ((0, 320), (1, 640)):
        alice.page.evaluate("(size) => choose(size)", size)
        room.wait_for(lambda width=width: width in alice.page.evaluate(WIDTHS), what=f"a picture {width} wide")
        room.wait(seconds=1)
    bob.page.get_by_role("button", name="Mute").click()
    muted = alice.get_media_recording().elapsed
    room.wait(seconds=2)
    carol.page.get_by_role("button", name="Leave").click()
    room.wait_for(lambda: alice.others == ["bob"], what="carol to be gone", timeout=5)
    left = alice.get_media_recording().elapsed
    # Who comes now is sent in the place of who left.
    dave = enter(f"{site.url}/janus.html?me=dave&{server}", "dave")
    meet(room, alice, bob, dave)
    came = alice.get_media_recording().elapsed
    room.wait(seconds=2)
    alice.stop_media_recording()

    report = whole(alice.download_media_recording())

    bob_was, carol_was = report.participant("bob"), report.participant("carol")
    assert report.participant("dave").is_audible(came + 0.3, came + 1.7)
    assert bob_was.is_audible(0.5, muted - 0.5)
    assert not bob_was.is_audible(muted + 0.7, left)
    assert carol_was.is_audible(0.5, left - 1)
    assert carol_was.present[-1][1] == pytest.approx(left, abs=1)


def test_a_page_that_crashes_leaves_its_recording(room: Room, enter: Enter, site: Site) -> None:
    """Whoever waits hears of it, with what was saved."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=2)

    alice.crash()

    with pytest.raises(RecordingError, match="crashed") as told:
        room.wait(seconds=5)
    assert told.value.recording is not None
    assert told.value.recording.duration > 1
    room.wait_for(lambda: bob.others == [], what="alice to be gone", timeout=20)


@pytest.mark.thorough
def test_a_page_that_loads_anew_leaves_its_recording_and_can_record_again(room: Room, enter: Enter, site: Site) -> None:
    """The first recording ends with the page and is kept; the page's next call is followed as the first was."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=2)

    alice.page.reload()
    room.wait_for(lambda: alice.others == ["bob"], what="bob in the page that was loaded anew", timeout=20)
    report = whole(recorded(room, alice))

    assert report.participant("bob").is_audible(0.5, 2.5)


def test_a_page_over_plain_http_is_refused_with_the_reason(room: Room, page: Page) -> None:
    """There Chrome hides what a recording is made of."""
    alice = room.attach(page, "alice")
    alice.page.route("http://application.test/", lambda route: route.fulfill(body="<h1>An application</h1>"))
    alice.page.goto("http://application.test/")

    with pytest.raises(NotSupportedError, match="https or from localhost"):
        alice.start_media_recording()


def test_a_page_that_is_somewhere_already_is_refused(room: Room, page: Page) -> None:
    """What its scripts have done by then nobody can follow any more."""
    page.goto("data:text/html,<h1>An application</h1>")

    with pytest.raises(ConfigError, match="attach before it goes anywhere"):
        room.attach(page, "alice")


@pytest.mark.thorough
def test_a_call_in_a_frame_of_the_page_is_recorded(room: Room, enter: Enter, site: Site) -> None:
    """The calls go to the frame that has the connections."""
    alice, bob = enter(f"{site.url}/frames/same-site.html", "alice"), enter(f"{site.url}/frames/same-site.html", "bob")
    meet(room, alice, bob)

    report = whole(recorded(room, alice))

    assert report.participant("bob").is_audible(0.5, 2.5)


def test_a_call_in_a_frame_from_another_site_is_recorded(room: Room, site: Site) -> None:
    """In a process of its own, with a content policy of its own: contexts that the room makes bypass that one, too."""
    alice, bob = (room.enter(name, ignore_https_errors=True) for name in ("alice", "bob"))
    for one in (alice, bob):
        one.page.goto(f"{site.url}/frames/other-site.html")
    meet(room, alice, bob)

    report = whole(recorded(room, alice))

    assert report.participant("bob").is_audible(0.5, 2.5)


def test_a_page_that_can_not_reach_us_is_told_what_it_lacks(
    room: Room, new_context: Callable[..., BrowserContext], site: Site
) -> None:
    """Where Chrome keeps it from the local network, or nobody is there: there is no second way in."""
    server = room._server
    script = server.attach(room.name, "alice", "synthetic").replace(server.url, "http://127.0.0.1:9")
    page = ApplicationPage(new_context(ignore_https_errors=True).new_page(), server.url, script)
    page.page.goto(f"{site.url}/empty.html")

    with pytest.raises(NotSupportedError, match="can't reach the harness's server"):
        page.call("getParticipants")


# What a site of the internet answers with.
_PLACES = {
    "/": '<!doctype html><script src="/alone.js" type="module"></script><script>window.lax = true</script>',
    "/embeds": '<!doctype html><iframe src="https://call.example/" allow="camera; microphone"></iframe>',
    "/alone.js": (APPLICATIONS / "alone.js").read_text(encoding="utf-8"),
}


def _on_the_internet(context: BrowserContext) -> None:
    """Answer for every site below .example, and for one that is called as this machine is, with a content policy."""

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        kind = "text/javascript" if path.endswith(".js") else "text/html"
        rules = {"Content-Security-Policy": "script-src 'self'"}
        route.fulfill(body=_PLACES[path], content_type=kind, headers=rules)

    for sites in ("https://*.example/**", "https://app.localhost/**"):
        context.route(sites, answer)


@pytest.mark.parametrize(
    "granted", ["there", *(pytest.param(one, marks=pytest.mark.thorough) for one in ("nothing", "everywhere"))]
)
def test_a_page_of_the_internet_reaches_this_machine_and_no_other(room: Room, page: Page, granted: str) -> None:
    """Chrome lets it by a permission of its own, whatever the page's owner grants besides; and lets no other site."""
    context = page.context
    _on_the_internet(context)
    alice = room.attach(page, "alice")
    if granted != "nothing":
        context.grant_permissions(["camera"], origin="https://app.example" if granted == "there" else None)
    page.goto("https://app.example/")
    page.get_by_text("connected").wait_for()
    other = context.new_page()
    other.goto("https://other.example/")

    report = whole(recorded(room, alice, seconds=2.0, recorder="local"))

    assert report.participant("alice").is_audible(0.5, 1.5)
    assert page.evaluate(_STATE_OF, "loopback-network") == "granted"
    assert page.evaluate(_STATE_OF, "local-network") != "granted"
    assert other.evaluate(_STATE_OF, "loopback-network") != "granted"


@pytest.mark.thorough
def test_a_page_of_the_internet_goes_on_when_its_owner_grants_something_else(room: Room, page: Page) -> None:
    """Which denies it this machine by itself; its next recording is let in again."""
    _on_the_internet(page.context)
    alice = room.attach(page, "alice")
    page.goto("https://app.example/")
    page.get_by_text("connected").wait_for()
    page.context.grant_permissions(["camera"], origin="https://app.example")
    assert page.evaluate(_STATE_OF, "loopback-network") == "denied"

    whole(recorded(room, alice, seconds=2.0, recorder="local"))


@pytest.mark.thorough
def test_a_page_that_is_here_by_its_name_alone_reaches_this_machine(room: Room, page: Page) -> None:
    """As one whose answers a test makes up."""
    _on_the_internet(page.context)
    alice = room.attach(page, "alice")
    page.goto("https://app.localhost/")
    page.get_by_text("connected").wait_for()

    whole(recorded(room, alice, seconds=2.0, recorder="local"))


def test_a_call_in_a_frame_of_the_internet_reaches_this_machine(room: Room) -> None:
    """By the permission of the page that it is in, from another site or not."""
    alice = room.enter("alice")
    _on_the_internet(alice.page.context)
    alice.page.goto("https://app.example/embeds")
    alice.page.frame_locator("iframe").get_by_text("connected").wait_for()

    whole(recorded(room, alice, seconds=2.0, recorder="local"))


@pytest.mark.thorough
def test_a_page_that_wakes_while_python_does_something_else_waits_for_it(room: Room, page: Page) -> None:
    """Nobody answers for the camera meanwhile, and nothing is lost."""
    _on_the_internet(page.context)
    alice = room.attach(page, "alice")
    page.goto("https://app.example/", wait_until="commit")

    threading.Event().wait(2)
    page.get_by_text("connected").wait_for()

    whole(recorded(room, alice, seconds=2.0, recorder="local"))


_LEFT = """() => [
  Symbol.for('recording-harness') in window, 'harnessEvent' in window, 'harnessMayReach' in window, 'lax' in window,
]"""


def test_a_page_that_was_let_go_of_carries_nothing_of_ours(room: Room, page: Page) -> None:
    """It goes on with its call; from its next load on its rules hold, and what its owner granted is granted still."""
    _on_the_internet(page.context)
    alice = room.attach(page, "alice")
    page.context.grant_permissions(["camera", "microphone"])
    page.goto("https://app.example/")
    page.get_by_text("connected").wait_for()
    assert [True, True, True, True] == page.evaluate(_LEFT)

    room.close()
    page.evaluate("console.log('afterwards')")
    lines = [line.text for line in alice.console]

    expect(page.get_by_text("connected")).to_be_visible()
    for address in ("https://app.example/", "https://other.example/"):
        page.goto(address)
        assert [False, False, False, False] == page.evaluate(_LEFT)
        assert page.evaluate(_STATE_OF, "loopback-network") != "granted"
        assert page.evaluate(_STATE_OF, "camera") == "granted"
    assert "afterwards" not in lines


@pytest.mark.thorough
def test_an_applications_own_navigation_leaves_its_call_alone(room: Room, enter: Enter, site: Site) -> None:
    """An address that changes without a page being loaded, as in applications of a single page."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1)

    alice.page.evaluate("() => history.pushState({}, '', '/another/address')")
    room.wait(seconds=1)
    alice.stop_media_recording()

    whole(alice.download_media_recording())


def test_a_page_without_a_call_is_refused(enter: Enter, site: Site) -> None:
    """Nobody records nothing: a film that is played, encrypted or not, is no call."""
    alice = enter(f"{site.url}/empty.html", "alice")

    with pytest.raises(InvalidStateError, match="in no call"):
        alice.start_media_recording()


# A file that the application makes, and asks the browser to download.
_EXPORT = """() => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(['name,minutes']));
  link.download = 'people.csv';
  link.click();
}"""


def test_a_download_of_the_applications_own_is_left_to_its_owner(room: Room, enter: Enter, site: Site) -> None:
    """One while recording and one just before ours; the owner's listener has all of them."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    names: list[str] = []
    alice.page.on("download", lambda download: names.append(download.suggested_filename))
    alice.start_media_recording(record_config=SMALL)
    alice.page.evaluate(_EXPORT)
    room.wait(seconds=2)
    alice.stop_media_recording()
    alice.page.evaluate(_EXPORT)

    recording = alice.download_media_recording()

    whole(recording)
    assert ["people.csv", "people.csv", "call.webm"] == names
    assert not alice._page.downloads


# What a script that knows the binding could tell Python.
_MADE_UP = """async () => {
  const broken = { message: 'all is lost', name: 'RecordingError', code: 10453 };
  const told = [
    ['recording-failed', broken], ['recording-failed', { ...broken, id: 'made up' }], ['recording-failed', { id: 7 }],
    ['recording-stopped', null], ['recording-downloaded'], ['nothing', {}], [], [{}, {}, {}],
  ];
  await Promise.all(told.map((one) => harnessEvent(...one)));
}"""


def test_an_event_that_the_application_makes_up_changes_nothing(room: Room, enter: Enter, site: Site) -> None:
    """In the page or in a frame of it; the log has it, and the recording goes on."""
    alice, bob = (enter(f"{site.url}/simple-peer.html", name) for name in ("alice", "bob"))
    meet(room, alice, bob)
    heard: list[str] = []
    for event in EVENTS:
        alice.on(event, lambda _, event=event: heard.append(event))
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1)

    alice.page.evaluate(_MADE_UP)
    alice.page.evaluate("() => void document.body.append(document.createElement('iframe'))")
    alice.page.frames[-1].evaluate(_MADE_UP)
    room.wait(seconds=1)
    alice.stop_media_recording()

    whole(alice.download_media_recording())
    assert ["recording-started", "recording-stopped", "recording-downloaded"] == heard
    assert 16 == sum(line.startswith("no event of a recording: ") for line in alice._page.log)


def test_somebody_who_is_none_of_ours_is_a_guest(
    room: Room, enter: Enter, site: Site, new_context: Callable[..., BrowserContext]
) -> None:
    """Seen, heard and listed, by what the page knows; without marks there is no more to say."""
    alice = enter(f"{site.url}/simple-peer.html", "alice")
    stranger = new_context(ignore_https_errors=True).new_page()
    stranger.goto(f"{site.url}/simple-peer.html")
    room.wait_for(lambda: alice.others == ["unidentified 1"], what="the guest", timeout=20)

    recording = recorded(room, alice)
    whole(recording)

    told = json.loads(recording.manifest.read_text(encoding="utf-8"))
    assert [{"name": "alice", "marker": 0}, {"name": "unidentified 1", "marker": None}] == told["timeline"]["members"]


def test_a_window_that_the_page_opens_is_another_page(room: Room, enter: Enter, site: Site) -> None:
    """Its call is not the page's, and it has loaded before anybody could attach it."""
    alice = enter(f"{site.url}/empty.html", "alice")
    with alice.page.expect_popup() as opened:
        alice.page.evaluate("(url) => void window.open(url)", f"{site.url}/simple-peer.html?room=window")
    opened.value.wait_for_load_state()

    with pytest.raises(InvalidStateError, match="in no call"):
        alice.start_media_recording()
    with pytest.raises(ConfigError, match="attach before it goes anywhere"):
        room.attach(opened.value, "bob")


@pytest.mark.thorough
def test_a_film_is_the_applications_camera(room: Room, enter: Enter, site: Site, tmp_path: Path) -> None:
    """Sent by the application, and recorded at the other end: its marks are in the recording, nobody's by name."""
    film = tmp_path / "film.webm"
    write_media(
        film, Scene(participants=(PlannedParticipant(name="actor", marker=9),), width=640, height=360, seconds=8)
    )
    alice = enter(f"{site.url}/simple-peer.html", "alice")
    bob = enter(f"{site.url}/simple-peer.html", "bob", media=film)
    alice.page.get_by_text("with 1").wait_for()
    room.wait_for(lambda: alice.others == ["unidentified 1"], what="the guest", timeout=20)

    report = verify(recorded(room, alice))

    wrong = {finding.check for finding in report.findings if not finding.ok}
    assert wrong == {"unexpected"}
    assert report.participant("marker 9").is_audible(0.5, 2.5)
    assert "Video file camera" in bob.page.evaluate(
        "async () => (await navigator.mediaDevices.enumerateDevices()).map(({ label }) => label)"
    )


def test_a_call_in_a_sandboxed_frame_is_refused(enter: Enter, site: Site) -> None:
    """It may use neither camera nor connections of its site, so there is no call."""
    alice = enter(f"{site.url}/frames/sandboxed.html", "alice")

    with pytest.raises(InvalidStateError, match="in no call"):
        alice.start_media_recording()


def test_one_page_is_attached_without_a_room(
    new_context: Callable[..., BrowserContext], site: Site, tmp_path: Path
) -> None:
    """Whoever has a page of their own attaches it; it stays open, and goes on with its call."""
    page, other = (new_context(ignore_https_errors=True).new_page() for _ in range(2))
    with attach(page, "alice", media="synthetic", recordings=tmp_path) as alice:
        for one in (page, other):
            one.goto(f"{site.url}/simple-peer.html?room=alone")
        page.get_by_text("with 1").wait_for()
        alice.start_media_recording(recorder="local", record_config=SMALL)
        alice.wait(2)
        alice.stop_media_recording()

        recording = alice.download_media_recording()

    whole(recording)
    assert tmp_path / "call.webm" == recording.path
    expect(page.get_by_text("with 1")).to_be_visible()
