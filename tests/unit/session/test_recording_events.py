"""Valid recording events are passed to handlers.

All other reports from a page are only logged, and are not passed to handlers.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.session.recording_events import RecordingEvents

pytestmark = pytest.mark.parallel


def test_handlers_of_an_event_get_its_detail_in_order() -> None:
    """An event is passed only to the handlers for this event, in the order in which they were added."""
    received: list[tuple[str, object]] = []
    events = RecordingEvents(lambda _: True, [])
    events.on("recording-started", lambda detail: received.append(("first", detail)))
    events.on("recording-started", lambda detail: received.append(("second", detail)))
    events.on("recording-stopped", lambda detail: received.append(("other", detail)))

    events.receive("alice", "recording-started", {"id": "one"})

    assert [("first", {"id": "one"}), ("second", {"id": "one"})] == received


def test_unknown_event_is_refused_when_a_handler_is_added() -> None:
    """The error for an unknown event lists all valid events."""
    with pytest.raises(ConfigError, match="event: 'recording-began' is not valid; choose one of 'recording-start"):
        RecordingEvents(lambda _: True, []).on("recording-began", print)


@pytest.mark.parametrize(
    "reported",
    [
        (),
        ("recording-started",),
        ("recording-started", None),
        ("recording-started", {}),
        ("recording-started", {"id": 7}),
        ("recording-started", {"id": "not hers"}),
        ("nothing", {"id": "hers"}),
        ({}, {}, {}),
    ],
)
def test_report_that_is_not_an_event_is_logged_and_calls_no_handler(reported: tuple[Any, ...]) -> None:
    """Invalid reports, which any script in the page can send, are logged and not passed to handlers."""
    received: list[object] = []
    log: list[str] = []
    events = RecordingEvents(lambda recording: recording == "hers", log)
    events.on("recording-started", received.append)

    events.receive("alice", *reported)

    assert [] == received
    assert [f"not a recording event: {reported}"] == log


def test_cleaned_recording_still_has_events() -> None:
    """Events from a deleted recording are still passed to handlers, since its id is known from earlier events."""
    known = {"one"}
    received: list[object] = []
    events = RecordingEvents(known.__contains__, [])
    events.on("recording-cleaned", received.append)
    events.receive("alice", "recording-stopped", {"id": "one"})
    known.clear()

    events.receive("alice", "recording-cleaned", {"id": "one"})

    assert [{"id": "one"}] == received


def test_failure_is_returned_only_once() -> None:
    """A recording's failure is returned only once, so that only one exception reports the failure."""
    events = RecordingEvents(lambda _: True, [])
    events.receive("alice", "recording-failed", {"id": "one", "message": "The encoder failed."})

    assert {"id": "one", "message": "The encoder failed."} == events.pop_failure()
    assert events.pop_failure() is None


def test_stall_is_logged_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """If a recording stalls, a warning with the participant's name and the message is logged."""
    with caplog.at_level(logging.WARNING):
        RecordingEvents(lambda _: True, []).receive(
            "alice", "recording-stalled", {"id": "one", "message": "No video arrives."}
        )

    assert ["alice: No video arrives."] == [record.getMessage() for record in caplog.records]
