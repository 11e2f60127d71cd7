"""The base class for all messages from pages, and the field types that ``/signal`` and ``/spool`` messages share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.server.access.tokens import LONGEST_CODE

Short = Annotated[str, Field(max_length=LONGEST_CODE)]
Count = Annotated[int, Field(ge=0)]
# Maximum time in ms: three centuries, which no clock in the harness ever exceeds.
Number = Annotated[float, Field(ge=-1e13, le=1e13, allow_inf_nan=False)]
# The marker in synthetic media has eight bits for its number. The lower half of the marker numbers identifies
# participants. A participant's shared screen has the participant's number plus 128 (web/src/shared/marker.js).
PARTICIPANT_MARKERS = 128
ParticipantMarker = Annotated[int, Field(ge=0, lt=PARTICIPANT_MARKERS)]
MarkerNumber = Annotated[int, Field(ge=0, lt=2 * PARTICIPANT_MARKERS)]


class Message(BaseModel):
    """A message from a page; a message with undeclared fields is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
