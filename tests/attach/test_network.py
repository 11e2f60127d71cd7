"""Tests can emulate a poor network during an application's call, and end the emulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness import ConfigError, Participant
from tests.support.application_calls import meet

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

    from harness import Room
    from tests.support.servers.application_site import Site

    Attach = Callable[..., Participant]

# JavaScript that returns the numbers of packets received and lost, and the round-trip time, in a frame with a call.
_RECEIVED = """async () => {
  const connections = window[Symbol.for('recording-harness')]?.connections ?? [];
  const reports = await Promise.all([...connections].map((connection) => connection.getStats()));
  const all = reports.flatMap((report) => [...report.values()]);
  const sum = (name) => all.reduce((total, one) => total + (one.type === 'inbound-rtp' ? (one[name] ?? 0) : 0), 0);
  return { received: sum('packetsReceived'), lost: sum('packetsLost'), bytes: sum('bytesReceived') };
}"""


def traffic(room: Room, participant: Participant, *, seconds: float = 3.0) -> tuple[float, float]:
    """Measure for the given time; return the percentage of lost packets, and the received bitrate in kbps."""
    before = _statistics(participant)
    room.wait(seconds=seconds)
    after = _statistics(participant)
    received, lost, size = (after[name] - before[name] for name in ("received", "lost", "bytes"))
    return 100 * lost / (received + lost), size * 8 / 1000 / seconds


def _statistics(participant: Participant) -> dict[str, Any]:
    """Return the statistics of the page's frame that receives the most data."""
    found = [frame.evaluate(_RECEIVED) for frame in participant.page.frames]
    return max(found, key=lambda one: one["received"])


def test_network_of_an_attached_page_is_emulated_and_restored(
    room: Room, attach: Attach, new_context: Callable[..., BrowserContext], site: Site
) -> None:
    """WebRTC's statistics show the lost packets and the low throughput. A call without arguments ends the emulation."""
    page = new_context(ignore_https_errors=True).new_page()
    alice = attach(page, "alice", emulate_network=True)
    bob = room.enter("bob", ignore_https_errors=True)
    for one in (alice, bob):
        one.page.goto(f"{site.url}/simple-peer.html?room=network")
    meet(room, alice, bob)

    lost_before, kbps_before = traffic(room, alice)
    alice.emulate_network(loss_percent=30)
    lost, _ = traffic(room, alice)
    alice.emulate_network(kbps=60)
    room.wait(seconds=1)
    _, kbps = traffic(room, alice)
    alice.emulate_network()
    room.wait_for(lambda: traffic(room, alice, seconds=1)[1] > 1.5 * kbps, what="the bitrate to recover", timeout=20)

    assert lost_before < 5
    assert lost == pytest.approx(30, abs=15)
    assert kbps < 90 < kbps_before
    with pytest.raises(ConfigError, match=r"call room\.enter or attach with emulate_network=True"):
        bob.emulate_network(loss_percent=30)


def test_network_of_a_frame_from_another_site_is_emulated(room: Room, site: Site) -> None:
    """A frame from another site runs in its own process, so its network must be emulated separately."""
    alice, bob = (
        room.enter(name, ignore_https_errors=True, emulate_network=name == "alice") for name in ("alice", "bob")
    )
    for one in (alice, bob):
        one.page.goto(f"{site.url}/frames/other-site.html")
    meet(room, alice, bob)

    alice.emulate_network(loss_percent=30)
    lost, _ = traffic(room, alice)

    assert lost == pytest.approx(30, abs=15)
