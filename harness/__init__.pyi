# The public names and their modules: __init__.py imports each one when it is first used.

from .browser.pages.nertc_application import NertcApp
from .errors import (
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
from .launch import attach, open_room
from .recording.config import RecordConfig
from .recording.recording import Recording
from .server.rooms.routes import Routes
from .session.observation import Observation
from .session.participant import Participant
from .session.room import Room
from .verification import Expectation, Limits, Report, verify, verify_together

__all__ = [
    "ConfigError",
    "DiskFullError",
    "Expectation",
    "HarnessError",
    "InvalidStateError",
    "Limits",
    "NertcApp",
    "NotSupportedError",
    "Observation",
    "PageError",
    "Participant",
    "RecordConfig",
    "Recording",
    "RecordingError",
    "Report",
    "Room",
    "Routes",
    "SetupError",
    "StepTimeout",
    "VerificationError",
    "attach",
    "open_room",
    "verify",
    "verify_together",
]
