"""When a participant or a room is closed, all recordings are saved even if pages fail.

If several errors occur while a participant or a room is closed, the first error is raised.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.errors import PageError
from harness.server.room_server import RoomServer
from harness.session.context import RoomContext
from harness.session.participant import Participant
from harness.session.room import Room
from harness.session.teardown import run_every_step
from tests.support.spooling import VERSIONS, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.browser.pages.driven_page import DrivenPage

pytestmark = pytest.mark.parallel


class Page:
    """A fake page that raises the given errors when the participant leaves and when the page is closed."""

    def __init__(self, *, on_leave: BaseException | None = None, on_close: BaseException | None = None) -> None:
        self.alive, self.crashed, self.closed = True, False, False
        self.log: deque[str] = deque()
        self._on_leave, self._on_close = on_leave, on_close

    def call(self, name: str, argument: object) -> None:
        """Raise the ``on_leave`` error if there is one."""
        del name, argument
        if self._on_leave:
            raise self._on_leave

    def close(self) -> None:
        """Close the page."""
        self.closed = True
        if self._on_close:
            raise self._on_close


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RoomServer]:
    """Return a server without participants."""
    with RoomServer(recordings=tmp_path / "recordings", versions=VERSIONS) as server:
        yield server


def joined(server: RoomServer, audio_bytes: bytes, page: Page, name: str = "alice") -> Participant:
    """Return a participant with a recording that has not been stopped."""
    participant = Participant(
        name,
        cast("DrivenPage", page),
        RoomContext(room="daily", server=server, recordings=server.recordings),
    )
    participant.state = "joined"
    recorded(server._spool, audio_bytes, participant=name, recordName=name)
    return participant


ERRORS = [PageError("The page is closed."), RuntimeError("as Playwright raises"), OSError(5, "Input/output error")]


@pytest.mark.parametrize("error", [*ERRORS, KeyboardInterrupt()])
@pytest.mark.parametrize("when", ["on_leave", "on_close"])
def test_recording_is_saved_if_its_page_can_not_be_closed(
    server: RoomServer, audio_bytes: bytes, when: str, error: BaseException
) -> None:
    """If a page fails, the recording is saved before the error is raised, and a second close has no effect."""
    page = Page(**cast("Any", {when: error}))
    alice = joined(server, audio_bytes, page)

    with pytest.raises(type(error)) as raised:
        alice.close()

    assert error is raised.value
    assert page.closed
    assert "closed" == alice.state
    assert ["alice.webm"] == [recording.path.name for recording in alice.recordings]
    assert alice.recordings[0].path.is_file()
    alice.close()


@pytest.mark.parametrize("error", ERRORS)
def test_room_saves_all_recordings_when_it_closes(server: RoomServer, audio_bytes: bytes, error: Exception) -> None:
    """A room saves all recordings even if several pages raise errors, and then raises the first error."""
    room = Room(server=server, new_context=cast("Any", SimpleNamespace), recordings=server.recordings, name="daily")
    pages = [Page(on_close=error), Page(on_leave=PageError("second")), Page()]
    names = ("alice", "bob", "carol")
    room.participants += [joined(server, audio_bytes, page, name) for page, name in zip(pages, names, strict=True)]

    with pytest.raises(type(error)) as raised, room:
        pass

    assert error is raised.value
    assert all(page.closed for page in pages)
    assert {f"{name}.webm" for name in names} == {recording.path.name for recording in room.recordings}


def test_room_saves_all_recordings_after_an_error_in_its_block(server: RoomServer, audio_bytes: bytes) -> None:
    """All recordings are saved if the ``with`` block raises an error, for example because a test fails."""
    room = Room(server=server, new_context=cast("Any", SimpleNamespace), recordings=server.recordings, name="daily")
    room.participants += [joined(server, audio_bytes, Page(on_close=RuntimeError("page")), "alice")]
    room.participants += [joined(server, audio_bytes, Page(), "bob")]

    with pytest.raises(RuntimeError) as raised, room:
        raise ValueError("the test's own")  # noqa: EM101 - only an error

    assert "the test's own" == str(raised.value.__context__)
    assert 2 == len(room.recordings)


def test_every_step_runs_and_the_first_error_is_raised() -> None:
    """If one step of closing a participant or a room raises an error, the remaining steps still run in order."""
    run: list[int] = []

    def step(number: int) -> None:
        run.append(number)
        if number:
            raise ValueError(number)

    with pytest.raises(ValueError, match=r"^1$"):
        run_every_step(partial(step, number) for number in range(4))

    assert [0, 1, 2, 3] == run
