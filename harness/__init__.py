"""Records a WebRTC room in real Chrome into one WebM, and judges the file."""

from harness.errors import (
    ConfigError,
    DiskFullError,
    HarnessError,
    InvalidStateError,
    NotSupportedError,
    PageError,
    RecordingError,
    SetupError,
    StepTimeout,
    VerificationError,
)
from harness.launch import open_room
from harness.recording.config import RecordConfig
from harness.recording.recording import Recording
from harness.session.participant import Participant
from harness.session.room import Room
from harness.verification import Expectation, Limits, Report, verify

__all__ = [
    "ConfigError",
    "DiskFullError",
    "Expectation",
    "HarnessError",
    "InvalidStateError",
    "Limits",
    "NotSupportedError",
    "PageError",
    "Participant",
    "RecordConfig",
    "Recording",
    "RecordingError",
    "Report",
    "Room",
    "SetupError",
    "StepTimeout",
    "VerificationError",
    "open_room",
    "verify",
]
