"""The steps of a scenario, each known by its verb, and what a file of them holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, model_validator

from harness.browser.cpu_budget import needed
from harness.errors import ConfigError
from harness.recording.config import Codec, FrameRate, Layout, Quality, RecordConfig, Recorder, RecordType
from harness.session.media import MEDIA, media_of
from harness.verification import Limits
from harness.verification.values.expectations import Expectation, Seconds  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.models import ReportModel

if TYPE_CHECKING:
    from typing import Self

Name = Annotated[str, Field(min_length=1, max_length=64)]
Names = Annotated[Name | Annotated[tuple[Name, ...], Field(min_length=1)], Field(description="One name, or several.")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# What a recording tells by itself.
Told = Literal["stalled", "failed", "stopped", "downloaded"]
Percent = Annotated[float, Field(ge=0, le=100)]

# In seconds: an absence that is shorter than a hole in a recording can't be told, and a quarter at each end is edge.
_SHORTEST: Final = 2 * Limits().absence
# How much of a wait, in seconds, at both ends says nothing of what is expected in it: connections begin and end, and
# the file lags behind the clock.
EDGE: Final = 0.7


def _media(given: str, info: ValidationInfo) -> str:
    """Take a film's path as it is seen from the scenario's file."""
    try:
        return str(media_of(given, MEDIA, folder=(info.context or {}).get("folder")))
    except ConfigError as error:
        raise ValueError(str(error).removeprefix("media: ").removesuffix(".")) from error


class Step(ReportModel):
    """One step; ``label`` is what a live table and an error call it in the place of its own words."""

    verb: ClassVar[str]
    label: str | None = Field(default=None, description="What the progress and errors call this step.")

    @property
    def actors(self) -> tuple[str, ...]:
        """Who acts: the names under the verb."""
        value = getattr(self, self.verb)
        if isinstance(value, str):
            return (value,)
        return value if isinstance(value, tuple) else ()

    def __str__(self) -> str:
        """Return the step in a few words."""
        return self.label or f"{self.verb.replace('_', ' ')} {', '.join(self.actors)}".rstrip()


class Join(Step):
    """Somebody comes in; several names come side by side."""

    verb = "join"
    join: Names
    media: Annotated[str, AfterValidator(_media)] = Field(
        default="synthetic",
        description="synthetic (made pictures and tones), camera (the browser's devices), or a film's path from here.",
    )


class Leave(Step):
    """Somebody leaves; a recording of theirs ends."""

    verb = "leave"
    leave: Names


class Mute(Step):
    """Somebody's microphone is turned off."""

    verb = "mute"
    mute: Names


class Unmute(Step):
    """Somebody's microphone is turned on again."""

    verb = "unmute"
    unmute: Names


class Camera(Step):
    """Somebody's camera is turned on or off."""

    verb = "camera"
    camera: Names
    on: bool


class ShareScreen(Step):
    """Somebody shows the screen in the camera's place, or the camera again."""

    verb = "share_screen"
    share_screen: Name
    on: bool = True


class Speak(Step):
    """Somebody raises the voice; whoever did before lowers it. Synthetic participants only."""

    verb = "speak"
    speak: Name


class During(ReportModel):
    """A participant who is, or is not, visible or audible during a wait."""

    participant: Name
    visible: bool | None = None
    audible: bool | None = None


class Wait(Step):
    """Time passes; what is expected meanwhile is asked of every recording that runs."""

    verb = "wait"
    wait: Positive = Field(description="Seconds.")
    expect: tuple[During, ...] = ()

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if self.expect and self.wait <= 2 * EDGE + _SHORTEST:
            message = f"a wait with something expected must last longer than {2 * EDGE + _SHORTEST:g} s"
            raise ValueError(message)
        return self

    def __str__(self) -> str:
        """Return the step in a few words."""
        return self.label or f"wait {self.wait:g} s"


class WaitFor(Step):
    """Waits until a recording has lasted for so long, is in a state, or told of an event; fails after ``timeout``."""

    verb = "wait_for"
    wait_for: Name = Field(description="Who records.")
    elapsed: Positive | None = Field(default=None, description="Recorded seconds.")
    state: Literal["recording", "paused", "stopped", "failed", "cleaned"] | None = None
    event: Told | None = Field(default=None, description="What the recording tells, since it was started.")
    timeout: Positive = Field(default=30.0, description="Seconds.")

    @model_validator(mode="after")
    def _asks_for_one_thing(self) -> Self:
        if sum(value is not None for value in (self.elapsed, self.state, self.event)) != 1:
            message = "say one of 'elapsed', 'state' and 'event'"
            raise ValueError(message)
        return self

    def __str__(self) -> str:
        """Return the step in a few words."""
        what = f"{self.elapsed:g} s" if self.elapsed else self.state or self.event
        return self.label or f"wait for {self.wait_for}: {what}"


class Recorded(ReportModel):
    """How to record, by RecordConfig's names; what is left out is as the scenario's ``record`` says, or the default."""

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
            self.over(None)
        except ConfigError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    def over(self, beneath: Recorded | None) -> RecordConfig:
        """Return the configuration, with what is not said here taken from ``beneath``."""
        said: dict[str, Any] = {}
        for layer in (beneath, self):
            if layer is not None:
                fields = {name: getattr(layer, name) for name in Recorded.model_fields}
                said |= {name: value for name, value in fields.items() if value is not None}
        return RecordConfig(**said)


class Start(Step, Recorded):
    """Somebody starts to record; a recording that runs goes on until the new one has begun, and is kept."""

    verb = "start"
    start: Name
    recorder: Recorder = "all"


class Pause(Step):
    """A recording pauses; what happens meanwhile is not in the file."""

    verb = "pause"
    pause: Name


class Resume(Step):
    """A recording goes on after a pause."""

    verb = "resume"
    resume: Name


class Stop(Step):
    """A recording stops; its file is complete then."""

    verb = "stop"
    stop: Name


class Download(Step):
    """A recording is downloaded; what is expected of it is asked of that file."""

    verb = "download"
    download: Name
    duration: Seconds | None = Field(default=None, description="How long it should last, in seconds.")
    limits: Limits | None = None
    expect: tuple[Expectation, ...] = ()


class Clean(Step):
    """The page's and the server's copy are freed; what was downloaded stays."""

    verb = "clean"
    clean: Name


class Network(Step):
    """Somebody's network becomes worse, or, with nothing else said, good again. Signalling is not touched."""

    verb = "network"
    network: Names
    loss_percent: Percent = 0.0
    latency_ms: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    kbps: Positive | None = Field(default=None, description="Kilobits a second, each way.")


class Crash(Step):
    """Somebody's page dies; what it recorded until then is kept."""

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
    """Return the one verb of a step; None where it has none, or several."""
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
        custom_error_message=f"a step has exactly one of {', '.join(VERBS)}",
    ),
]


class Scenario(ReportModel):
    """What happens in a room: ``steps`` in order. ``record`` is how recordings are made where a step does not say."""

    title: str | None = None
    description: str | None = None
    record: Recorded = Recorded()
    steps: Annotated[tuple[AnyStep, ...], Field(min_length=1)]

    def with_max_wait(self, seconds: float) -> Scenario:
        """Return the scenario with every longer wait cut down to ``seconds``, to try it quickly."""
        steps = tuple(
            step.model_copy(update={"wait": min(step.wait, seconds)}) if isinstance(step, Wait) else step
            for step in self.steps
        )
        return self.model_copy(update={"steps": steps})

    @property
    def people(self) -> int:
        """How many people are in the room at most."""
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
    def needs(self) -> float:
        """How many processors of the reference machine its most expensive recording takes, with everybody in it."""
        configs = [step.over(self.record) for step in self.steps if isinstance(step, Start)] or [self.record.over(None)]
        return max(needed(self.people, config) for config in configs)
