"""Test the options that specify where a room's browsers run.

The rooms of a batch are distributed over the remote browsers.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import ConfigError
from harness.launch import open_room
from harness.session.venue import Venue

pytestmark = pytest.mark.parallel

ADDRESSES = ("ws://a", "ws://b", "ws://c")


@pytest.mark.parametrize(("turn", "first"), [(0, "ws://a"), (1, "ws://b"), (2, "ws://c"), (3, "ws://a")])
def test_rooms_of_a_batch_start_in_different_remote_browsers(turn: int, first: str) -> None:
    """The rooms of a batch start with the remote browsers in turn, and each room can use all remote browsers."""
    venue = Venue(connect=ADDRESSES).starting_at(turn)

    assert first == venue.connect[0]
    assert set(ADDRESSES) == set(venue.connect)


def test_venue_without_remote_browsers_is_the_same_at_every_turn() -> None:
    """If there are no remote browsers, every room uses the browser on this machine."""
    venue = Venue(executable="/opt/chrome", headed=True)

    assert venue == venue.starting_at(7)


@pytest.mark.parametrize("connect", ["ws://a", [""]])
def test_venue_refuses_a_connect_option_that_is_not_a_list_of_addresses(connect: Any) -> None:
    """``connect`` must be a list, because in a string, each character would be treated as an address."""
    with pytest.raises(
        ConfigError, match=r"^connect: .* give a list of addresses, for example \['ws://HOST:PORT'\]\.$"
    ):
        open_room(connect=connect)
