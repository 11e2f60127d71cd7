"""``Admission`` checks tokens, join codes, view codes, hosts and origins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.server.access.tokens import Admission, Token

if TYPE_CHECKING:
    from harness.server.access.tokens import Role

pytestmark = pytest.mark.parallel

ALICE = Token(role="participant", room="daily", name="alice", subject="m1")


class Clock:
    """A fake clock whose time is set by the test."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the fake clock's time in seconds."""
        return self.now


def test_a_token_admits_once() -> None:
    """A single-use token becomes invalid when it is used."""
    admission = Admission()
    token = admission.issue(ALICE)

    first, second = admission.redeem(token, "participant"), admission.redeem(token, "participant")

    assert (ALICE, None) == (first, second)


def test_a_reusable_token_admits_repeatedly() -> None:
    """A reusable token, such as a member's recorder token, can be used any number of times."""
    admission = Admission()
    grant = Token(role="recorder", room="daily", name="alice", subject="m1")
    token = admission.issue(grant, single_use=False)

    assert [grant] * 3 == [admission.redeem(token, "recorder") for _ in range(3)]


@pytest.mark.parametrize(("after", "expected"), [(59.9, ALICE), (60.0, None), (1e6, None)])
def test_a_token_expires(after: float, expected: Token | None) -> None:
    """A token is invalid once it has expired."""
    clock = Clock()
    admission = Admission(clock=clock)
    token = admission.issue(ALICE, seconds=60)

    clock.now += after

    assert expected == admission.redeem(token, "participant")


def test_expired_tokens_are_forgotten() -> None:
    """A long-running server does not accumulate expired tokens."""
    clock = Clock()
    admission = Admission(clock=clock)
    for _ in range(100):
        admission.issue(ALICE, seconds=60)

    clock.now += 61
    admission.issue(ALICE)

    assert 1 == len(admission._tokens)


@pytest.mark.parametrize("role", ["recorder", "download"])
def test_a_token_is_valid_only_for_its_role(role: Role) -> None:
    """A token is accepted only for its own role.

    An attempt to use a token for another role does not invalidate the token.
    """
    admission = Admission()
    token = admission.issue(ALICE)

    refused = admission.redeem(token, role)

    assert refused is None
    assert ALICE == admission.redeem(token, "participant")


@pytest.mark.parametrize("token", [None, "", "guessed", "x" * 10_000, "\x00", "日本"])
def test_an_unknown_token_is_refused(token: str | None) -> None:
    """A token that was never issued is refused."""
    admission = Admission()
    admission.issue(ALICE)

    assert admission.redeem(token, "participant") is None


def test_tokens_are_stored_only_as_digests() -> None:
    """The server's memory contains only digests of tokens, not the tokens themselves."""
    admission = Admission()

    token = admission.issue(ALICE)

    assert token.encode() not in admission._tokens
    assert 32 == len(token)


def test_tokens_of_a_removed_member_are_revoked() -> None:
    """If a member's tokens are revoked, other members' tokens remain valid."""
    admission = Admission()
    bob = Token(role="participant", room="daily", name="bob", subject="m2")
    tokens = [admission.issue(ALICE), admission.issue(ALICE), admission.issue(bob)]

    admission.revoke("daily", "m1")

    assert [None, None, bob] == [admission.redeem(token, "participant") for token in tokens]


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:8080", True),
        ("localhost:8080", True),
        ("127.0.0.1", False),
        ("127.0.0.1:8081", False),
        ("evil.example", False),
        ("127.0.0.1:8080.evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_requests_for_another_host_are_refused(host: str | None, *, allowed: bool) -> None:
    """Requests for other hosts are refused, because they may be DNS rebinding attacks."""
    admission = Admission()

    admission.allow("http://127.0.0.1:8080", "http://localhost:8080")

    assert allowed == admission.host_allowed(host)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("https://127.0.0.1:8080", False),
        ("http://127.0.0.1:8080/", False),
        ("http://evil.example", False),
        ("null", False),
        (None, False),
    ],
)
def test_sockets_of_another_origin_are_refused(origin: str | None, *, allowed: bool) -> None:
    """An origin is allowed only if its scheme, host and port all match."""
    admission = Admission()

    admission.allow("http://127.0.0.1:8080", "http://localhost:8080")

    assert allowed == admission.origin_allowed(origin)


def test_every_host_is_refused_before_the_server_knows_its_address() -> None:
    """Until the server knows its own address, it refuses all hosts and origins."""
    admission = Admission()

    assert (False, False) == (
        admission.host_allowed("127.0.0.1:8080"),
        admission.origin_allowed("http://127.0.0.1:8080"),
    )


def test_a_tokens_name_overrides_the_given_name() -> None:
    """A participant whose token contains a name can't choose another name."""
    admission = Admission()
    token = admission.issue(ALICE)

    assert ALICE == admission.admit_participant(token, name="mallory", code=None)


def test_a_token_without_a_name_uses_the_given_name() -> None:
    """A participant whose token contains no name can choose one.

    A participant who chooses no name, and whose token contains none, is called ``guest``.
    """
    admission = Admission()
    tokens = [admission.issue(Token(role="participant", room="daily")) for _ in range(2)]

    grants = [
        admission.admit_participant(token, name=name, code=None)
        for token, name in zip(tokens, ["bob", None], strict=True)
    ]

    assert ["bob", "guest"] == [grant.name for grant in grants if grant]


def test_a_private_room_needs_a_token() -> None:
    """A participant who gives a name but no token can't join a private room."""
    assert Admission().admit_participant(None, name="bob", code=None) is None


def test_a_public_room_admits_everybody() -> None:
    """Anybody can join a public room.

    A participant who joins a public room without giving a name is called ``guest``.
    """
    admission = Admission(public_room="daily")

    grants = [admission.admit_participant(None, name=name, code=None) for name in ("bob", None)]

    assert [
        Token(role="participant", room="daily", name="bob"),
        Token(role="participant", room="daily", name="guest"),
    ] == grants


@pytest.mark.parametrize(
    ("code", "admitted"), [("123456", True), ("123457", False), ("", False), (None, False), ("日本", False)]
)
def test_a_public_room_with_a_code_requires_it(code: str | None, *, admitted: bool) -> None:
    """A public room with a join code accepts only that code."""
    admission = Admission(public_room="daily", join_code="123456")

    grant = admission.admit_participant(None, name="bob", code=code)

    assert admitted == (grant is not None)


@pytest.mark.parametrize(
    ("code", "typed", "admitted"),
    [
        ("KQ7M-W2XA", "kq7m-w2xa", True),
        ("KQ7M-W2XA", "kq7m-w2xb", False),
        ("Sesame-Open", "sesame-open", False),
        ("Sesame-Open", "SESAME-OPEN", False),
    ],
)
def test_a_code_without_lower_case_letters_ignores_case(code: str, typed: str, *, admitted: bool) -> None:
    """If a join code has no lower-case letters, users can also type the code in lower case.

    Lower case is accepted because users often read the code from another screen and then type it.
    """
    grant = Admission(public_room="daily", join_code=code).admit_participant(None, name="bob", code=typed)

    assert admitted == (grant is not None)


@pytest.mark.parametrize(
    ("codes", "given", "seen"),
    [
        ({}, None, True),
        ({"join_code": "come in"}, None, False),
        ({"join_code": "come in"}, "come in", True),
        ({"join_code": "come in", "view_code": "look on"}, "look on", True),
        ({"join_code": "come in", "view_code": "look on"}, "come in", True),
        ({"join_code": "come in", "view_code": "look on"}, "look", False),
    ],
)
def test_either_code_shows_the_recordings(codes: dict[str, str], given: str | None, *, seen: bool) -> None:
    """Users can see the recordings with either the join code or the view code.

    With the view code, users can't join the room.
    """
    admission = Admission(public_room="daily", **cast("dict[str, Any]", codes))

    assert seen == (admission.admit_viewer(given) == "daily")
    assert admission.admit_participant(None, name="bob", code="look on") is None or not codes


def test_viewers_are_refused_without_a_public_room() -> None:
    """Without a public room, viewers are refused, because there are no recordings that they are allowed to see."""
    assert Admission().admit_viewer(None) is None


def test_a_wrong_token_is_refused_in_a_public_room() -> None:
    """A wrong token is refused even in a public room that requires no token."""
    admission = Admission(public_room="daily")

    assert admission.admit_participant("guessed", name="bob", code=None) is None


def test_a_page_of_another_origin_is_admitted_only_with_the_key() -> None:
    """A page from another origin is admitted only with a key.

    The key for pages from another origin is valid while at least one such page is attached.
    """
    admission = Admission()

    before = admission.offers_key("recording-harness, anything")
    key = admission.admit_application()

    assert not before
    assert key == admission.admit_application()
    assert admission.offers_key(f"recording-harness, {key}")
    assert not any(admission.offers_key(offered) for offered in (None, "", "recording-harness", f"{key}x", key[:-1]))


def test_the_key_expires_with_the_last_attached_page() -> None:
    """Once the last page from another origin has been detached, the key is no longer valid."""
    admission = Admission()
    key = admission.admit_application()
    admission.admit_application()

    admission.dismiss_application()
    with_one = admission.offers_key(key)
    admission.dismiss_application()
    with_none = admission.offers_key(key)

    assert (True, False) == (with_one, with_none)
    assert key != admission.admit_application()


@pytest.mark.parametrize(
    ("address", "host", "allowed"),
    [
        ("http://rooms.example.com:8080", "Rooms.Example.COM:8080", True),
        ("http://rooms.example.com:8080", "rooms.example.com.:8080", True),
        ("http://rooms.example.com:8080", "rooms.example.com:08080", True),
        ("http://rooms.example.com:8080", "rooms.example.com:80", False),
        ("http://rooms.example.com", "rooms.example.com:80", True),
        ("http://rooms.example.com:80", "rooms.example.com", True),
        ("http://rooms.example.com", "rooms.example.com:443", False),
        ("https://Rooms.Example.com", "rooms.example.com:443", True),
        ("https://rooms.example.com:443", "rooms.example.com", True),
        ("https://rooms.example.com", "rooms.example.com:80", False),
        ("http://[2001:DB8:0:0::1]:8080", "[2001:db8::1]:8080", True),
        ("http://[2001:db8::1]:8080", "[2001:0DB8:0000:0000:0000:0000:0000:0001]:8080", True),
        ("http://127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", True),
        ("http://127.0.0.1:8080", "[::ffff:7f00:1]:8080", True),
        ("http://localhost:8080", "LOCALHOST:8080", True),
        ("http://localhost:8080", "localhost:8080 ", False),
        ("http://localhost:8080", "user@localhost:8080", False),
        ("http://localhost:8080", "localhost:8080/", False),
        ("http://localhost:8080", "localhost:٨٠٨٠", False),
    ],
)
def test_hosts_are_compared_in_normal_form(address: str, host: str, *, allowed: bool) -> None:
    """Hosts that differ only in case, a trailing dot, zeros or a default port are treated as equal."""
    admission = Admission()

    admission.allow(address)

    assert allowed == admission.host_allowed(host)


@pytest.mark.parametrize(
    ("address", "origin", "allowed"),
    [
        ("https://rooms.example.com", "HTTPS://Rooms.Example.com:443", True),
        ("https://rooms.example.com", "http://rooms.example.com:443", False),
        ("http://[2001:DB8::1]:80", "http://[2001:db8:0::1]", True),
        ("http://localhost:8080", "http://localhost.:8080", True),
        ("http://localhost:8080", "http://localhost:8080.evil.example", False),
        ("http://localhost:8080", "http://evil.example#http://localhost:8080", False),
    ],
)
def test_origins_are_compared_in_normal_form(address: str, origin: str, *, allowed: bool) -> None:
    """Origins are equal if scheme, host and port are equal, regardless of how they are written."""
    admission = Admission()

    admission.allow(address)

    assert allowed == admission.origin_allowed(origin)


def test_current_addresses_are_replaced_and_given_ones_stay() -> None:
    """Once this machine's address has changed, requests for the old address are refused.

    Addresses that were set explicitly remain valid after this machine's address has changed.
    """
    admission = Admission()
    admission.allow("https://rooms.example.com")
    admission.allow_current("http://192.0.2.1:8080")

    admission.allow_current("http://192.0.2.2:8080")

    hosts = ("rooms.example.com", "192.0.2.1:8080", "192.0.2.2:8080")
    assert (True, False, True) == tuple(map(admission.host_allowed, hosts))
