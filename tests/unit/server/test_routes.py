"""The addresses of TURN servers and the SFU are parsed, and members receive the data they need to connect to them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

import pytest

from harness import ConfigError, Routes
from harness.server.rooms.routes import IceServer, Sfu

pytestmark = pytest.mark.parallel


def signature(secret: str, text: str) -> str:
    """Return the HMAC-SHA1 signature of ``text``, which can be computed only with ``secret``."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def test_media_go_from_page_to_page_by_default() -> None:
    """By default, members receive no TURN server and no SFU."""
    assert {"ice_servers": [], "ice_policy": "all", "sfu": None} == Routes.parse().for_member("room", "m", "s")


def test_a_room_number_is_unique_unless_servers_share_a_name() -> None:
    """Two servers that use the same Janus server share a room only if both specify the same room for the SFU."""
    alone = Sfu("ws://janus:8188")
    shared = Sfu("ws://janus:8188", room="daily")

    assert alone.access("room", "here")["room"] != alone.access("room", "there")["room"]
    assert shared.access("room", "here")["room"] == shared.access("another", "there")["room"]
    assert 0 <= alone.access("room", "here")["room"] < 2**53


def test_a_token_is_signed_with_januss_own_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Janus token that a member receives is valid for the VideoRoom plugin, and expires after one day."""
    monkeypatch.setenv("HARNESS_SFU_SECRET", "s3cret")

    token = Routes.parse(sfu="janus=ws://janus:8188").for_member("room", "m", "s")["sfu"]["token"]

    claims, _, proof = token.partition(":")
    until, realm, plugin = claims.split(",")
    assert ("janus", "janus.plugin.videoroom") == (realm, plugin)
    assert int(until) == pytest.approx(time.time() + 86_400, abs=5)
    assert proof == signature("s3cret", claims)


def test_a_turn_servers_password_is_made_for_the_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """TURN passwords have the format that coturn expects if its option use-auth-secret is set."""
    monkeypatch.setenv("HARNESS_TURN_SECRET", "s3cret")

    (server,) = Routes.parse(ice_servers=["turn:turn.test:3478?transport=tcp"]).for_member("r", "m", "s")["ice_servers"]

    assert server["urls"] == "turn:turn.test:3478?transport=tcp"
    assert server["username"].endswith(":m")
    assert server["credential"] == signature("s3cret", server["username"])


def test_a_turn_servers_user_and_password_are_used_unchanged() -> None:
    """A TURN password can contain a colon."""
    assert {"urls": "turn:turn.test:3478", "username": "me", "credential": "a:b"} == IceServer.parse(
        "turn:me:a:b@turn.test:3478"
    ).for_member("m")


@pytest.mark.parametrize("text", ["http://turn.test", "turn:", "turn:me@turn.test", "turn.test:3478"])
def test_an_invalid_ice_server_is_refused(text: str) -> None:
    """The error for an invalid TURN address shows what a valid one looks like."""
    with pytest.raises(ConfigError, match="use stun:HOST:PORT"):
        IceServer.parse(text)


def test_a_turn_server_without_user_and_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TURN address without a user or a secret is refused, since the TURN server would refuse every participant."""
    monkeypatch.delenv("HARNESS_TURN_SECRET", raising=False)

    with pytest.raises(ConfigError, match="HARNESS_TURN_SECRET"):
        IceServer.parse("turn:turn.test:3478")


@pytest.mark.parametrize("text", ["janus=http://janus:8188", "janus", "livekit=ws://janus:8188", "janus=ws://"])
def test_an_invalid_sfu_is_refused(text: str) -> None:
    """The error for an invalid SFU address shows what a valid one looks like."""
    with pytest.raises(ConfigError, match=r"use janus=ws://HOST:PORT"):
        Routes.parse(sfu=text)


def test_relaying_without_a_turn_server_is_refused() -> None:
    """The option --relay-only requires a TURN server, and --sfu-room requires an SFU."""
    with pytest.raises(ConfigError, match="--relay-only"):
        Routes.parse(ice_servers=["stun:stun.test:3478"], relay_only=True)
    with pytest.raises(ConfigError, match="--sfu-room"):
        Routes.parse(sfu_room="daily")
