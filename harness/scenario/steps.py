"""Define scenarios and their steps; each step has exactly one verb, for example ``join``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, model_validator

from harness.browser.budget import Need
from harness.errors import ConfigError
from harness.recording.config import Codec, FrameRate, Layout, Quality, RecordConfig, Recorder, RecordType
from harness.session.media import MEDIA, media_of
from harness.verification import Limits
from harness.verification.values.expectations import Expectation, Seconds  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.models import ReportModel
from harness.verification.values.profiles import DEFAULT_PROFILE, Profile, ProfileChoice, Profiles, profile_named

if TYPE_CHECKING:
    from typing import Self

Name = Annotated[str, Field(min_length=1, max_length=64)]
Names = Annotated[
    Name | Annotated[tuple[Name, ...], Field(min_length=1)], Field(description="One name, or a list of names.")
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# Recording events that can occur without any call to the page's recording functions.
RecordingEvent = Literal["stalled", "failed", "stopped", "downloaded"]
Percent = Annotated[float, Field(ge=0, le=100)]

# Shortest time span that can be checked, in seconds. A quarter of the span at each end is not checked. The middle half
# must not be shorter than the longest absence that the limits allow.
_SHORTEST: Final = 2 * Limits().absence
# This many seconds at each end of a wait are not checked, because connections need time to start and end, and the file
# lags behind the clock.
EDGE: Final = 0.7


def _media(given: str, info: ValidationInfo) -> str:
    """Return a participant's media; a video file's path is resolved relative to the scenario's folder."""
    try:
        return str(media_of(given, MEDIA, folder=(info.context or {}).get("folder")))
    except ConfigError as error:
        raise ValueError(str(error).removeprefix("media: ").removesuffix(".")) from error


class Step(ReportModel):
    """One step of a scenario; if ``label`` is set, it replaces the step's text in the progress table and in errors."""

    verb: ClassVar[str]
    label: str | None = Field(default=None, description="Name of this step in the progress table and in errors.")

    @property
    def actors(self) -> tuple[str, ...]:
        """Names of the participants who perform the step, taken from the value of the step's verb."""
        value = getattr(self, self.verb)
        if isinstance(value, str):
            return (value,)
        return value if isinstance(value, tuple) else ()

    def __str__(self) -> str:
        """Return a short description of the step."""
        return self.label or f"{self.verb.replace('_', ' ')} {', '.join(self.actors)}".rstrip()


class Join(Step):
    """Participants join; if there are several, they join at the same time."""

    verb = "join"
    join: Names
    media: Annotated[str, AfterValidator(_media)] = Field(
        default="synthetic",
        description="synthetic (generated video and audio), camera (the browser's devices), or a path to a video file.",
    )


class Leave(Step):
    """Participants leave, which ends the recordings that they are making."""

    verb = "leave"
    leave: Names


class Mute(Step):
    """Participants turn their microphones off."""

    verb = "mute"
    mute: Names


class Unmute(Step):
    """Participants turn their microphones on again."""

    verb = "unmute"
    unmute: Names


class Camera(Step):
    """Participants turn their cameras on or off."""

    verb = "camera"
    camera: Names
    on: bool


class ShareScreen(Step):
    """A participant shares the screen instead of the camera, or switches back to the camera."""

    verb = "share_screen"
    share_screen: Name
    on: bool = True


class Speak(Step):
    """A participant with synthetic audio speaks louder; the previous speaker returns to normal volume."""

    verb = "speak"
    speak: Name


class WaitExpectation(ReportModel):
    """Whether a participant must be visible or audible during a wait."""

    participant: Name
    visible: bool | None = None
    audible: bool | None = None


class Wait(Step):
    """The scenario waits, and every recording in progress is checked against the expectations for that time."""

    verb = "wait"
    wait: Positive = Field(description="Time to wait, in seconds.")
    expect: tuple[WaitExpectation, ...] = ()

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if self.expect and self.wait <= 2 * EDGE + _SHORTEST:
            message = f"a wait with expectations must last longer than {2 * EDGE + _SHORTEST:g} s"
            raise ValueError(message)
        return self

    def __str__(self) -> str:
        """Return a short description of the step."""
        return self.label or f"wait {self.wait:g} s"


class WaitFor(Step):
    """The scenario waits for a length, state or event of a recording; the step fails after ``timeout`` seconds."""

    verb = "wait_for"
    wait_for: Name = Field(description="Name of the participant who records.")
    elapsed: Positive | None = Field(
        default=None, description="Recording length to wait for, in seconds, excluding pauses."
    )
    state: Literal["recording", "paused", "stopped", "failed", "cleaned"] | None = None
    event: RecordingEvent | None = Field(
        default=None, description="Event to wait for; only events since the recording started count."
    )
    timeout: Positive = Field(default=30.0, description="Maximum time to wait, in seconds.")

    @model_validator(mode="after")
    def _has_one_condition(self) -> Self:
        if sum(value is not None for value in (self.elapsed, self.state, self.event)) != 1:
            message = "specify exactly one of 'elapsed', 'state' and 'event'"
            raise ValueError(message)
        return self

    def __str__(self) -> str:
        """Return a short description of the step."""
        what = f"{self.elapsed:g} s" if self.elapsed else self.state or self.event
        return self.label or f"wait for {self.wait_for}: {what}"


class RecordOptions(ReportModel):
    """Recording options, as in RecordConfig; a scenario's ``record`` contains the defaults for every ``start``."""

    record_type: RecordType | None = None
    record_name: str | None = None
    record_video_quality: Quality | None = None
    record_video_frame: FrameRate | None = None
    layout: Layout | None = None
    names: bool | None = None
    codec: Codec | None = None
    video_bits_per_second: int | None = None

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        try:
            self.with_defaults(None)
        except ConfigError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    def with_defaults(self, defaults: RecordOptions | None) -> RecordConfig:
        """Return the configuration; if an option is None, its value in ``defaults`` is used."""
        options: dict[str, Any] = {}
        for layer in (defaults, self):
            if layer is not None:
                fields = {name: getattr(layer, name) for name in RecordOptions.model_fields}
                options |= {name: value for name, value in fields.items() if value is not None}
        return RecordConfig(**options)


class Start(Step, RecordOptions):
    """A participant starts a recording; the participant's earlier recording, if any, then ends and is kept."""

    verb = "start"
    start: Name
    recorder: Recorder = "all"


class Pause(Step):
    """A recording pauses; the file does not contain the pause."""

    verb = "pause"
    pause: Name


class Resume(Step):
    """A recording continues after a pause."""

    verb = "resume"
    resume: Name


class Stop(Step):
    """A recording stops; after this step, its file is complete."""

    verb = "stop"
    stop: Name


class Download(Step):
    """A recording is downloaded, and its file is checked against the expectations."""

    verb = "download"
    download: Name
    duration: Seconds | None = Field(default=None, description="Expected length of the recording, in seconds.")
    limits: Limits | None = Field(default=None, description="Limits that differ from the scenario's profile.")
    expect: tuple[Expectation, ...] = ()


class Clean(Step):
    """The page and the server remove their copies of a recording; the downloaded file is kept."""

    verb = "clean"
    clean: Name


class Network(Step):
    """The participants' network gets worse, or returns to normal if no options are set. Signaling is not affected."""

    verb = "network"
    network: Names
    loss_percent: Percent = 0.0
    latency_ms: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    kbps: Positive | None = Field(default=None, description="Bandwidth in kbps, in each direction.")


class Crash(Step):
    """A participant's page crashes; the part of the recording that exists so far is kept."""

    verb = "crash"
    crash: Name


KINDS: Final = (
    *(Join, Leave, Mute, Unmute, Camera, ShareScreen, Speak),
    *(Wait, WaitFor),
    *(Start, Pause, Resume, Stop, Download, Clean),
    *(Network, Crash),
)
VERBS: Final = tuple(kind.verb for kind in KINDS)


def verb_of(step: object) -> str | None:
    """Return a step's verb, or None if the step has no verb or more than one."""
    if isinstance(step, Step):
        return step.verb
    found = [verb for verb in VERBS if isinstance(step, dict) and verb in step]
    return found[0] if len(found) == 1 else None


AnyStep = Annotated[
    Annotated[Join, Tag("join")]
    | Annotated[Leave, Tag("leave")]
    | Annotated[Mute, Tag("mute")]
    | Annotated[Unmute, Tag("unmute")]
    | Annotated[Camera, Tag("camera")]
    | Annotated[ShareScreen, Tag("share_screen")]
    | Annotated[Speak, Tag("speak")]
    | Annotated[Wait, Tag("wait")]
    | Annotated[WaitFor, Tag("wait_for")]
    | Annotated[Start, Tag("start")]
    | Annotated[Pause, Tag("pause")]
    | Annotated[Resume, Tag("resume")]
    | Annotated[Stop, Tag("stop")]
    | Annotated[Download, Tag("download")]
    | Annotated[Clean, Tag("clean")]
    | Annotated[Network, Tag("network")]
    | Annotated[Crash, Tag("crash")],
    Discriminator(
        verb_of,
        custom_error_type="verb",
        custom_error_message=f"a step must have exactly one of {', '.join(VERBS)}",
    ),
]


class Scenario(ReportModel):
    """The ``steps`` that take place in a room, in order; ``record`` contains the defaults for every recording."""

    title: str | None = None
    description: str | None = None
    record: RecordOptions = RecordOptions()
    profiles: Profiles = Field(default={}, description="Named sets of limits, in addition to default and strict.")
    profile: ProfileChoice | None = Field(
        default=None,
        description="Name of the set of limits for all recordings. If all media is synthetic and stays on the machine, "
        "the network is not emulated, and the machine is not too busy, the limits are strict by default; otherwise, "
        "the default limits apply.",
    )
    steps: Annotated[tuple[AnyStep, ...], Field(min_length=1)]

    def with_max_wait(self, seconds: float) -> Scenario:
        """Return a copy of the scenario in which no ``wait`` is longer than ``seconds``, for a quick trial run."""
        steps = tuple(
            step.model_copy(update={"wait": min(step.wait, seconds)}) if isinstance(step, Wait) else step
            for step in self.steps
        )
        return self.model_copy(update={"steps": steps})

    def limits_of(self, download: Limits | None, otherwise: Profile = DEFAULT_PROFILE) -> Profile:
        """Return the scenario's profile, or ``otherwise`` if it has none, with a ``download`` step's limits applied."""
        base = profile_named(self.profile, self.profiles) if self.profile else otherwise
        return base.changed(download)

    @property
    def is_undisturbed(self) -> bool:
        """Whether all media is synthetic, and no network is emulated."""
        return not any(
            isinstance(step, Network) or (isinstance(step, Join) and step.media != "synthetic") for step in self.steps
        )

    @property
    def participants(self) -> int:
        """The largest number of participants who are in the room at the same time."""
        inside: set[str] = set()
        most = 0
        for step in self.steps:
            if isinstance(step, Join):
                inside.update(step.actors)
            elif isinstance(step, Leave | Crash):
                inside.difference_update(step.actors)
            most = max(most, len(inside))
        return most

    @property
    def needs(self) -> Need:
        """The processors and the memory that the scenario's most CPU-intensive recording needs."""
        starts = [step for step in self.steps if isinstance(step, Start)]
        configs = [step.with_defaults(self.record) for step in starts] or [self.record.with_defaults(None)]
        return max((Need.of(self.participants, config) for config in configs), key=lambda need: need.processors)
