"""Control a participant's microphone, camera and screen sharing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, get_args

from harness.errors import one_of

Device = Literal["audio", "video"]


class MediaControls(ABC):
    """``Participant``'s methods for the microphone, the camera, screen sharing and synthetic audio."""

    @abstractmethod
    def _call(self, name: str, argument: object = None) -> Any:
        """Call a function in the page, and return its result."""

    def mute(self) -> None:
        """Turn the microphone off. Recordings continue, and contain silence while the microphone is off."""
        self._call("setMicrophone", argument=False)

    def unmute(self) -> None:
        """Turn the microphone on again."""
        self._call("setMicrophone", argument=True)

    def turn_camera_off(self) -> None:
        """Turn the camera off. While the camera is off, recordings show a placeholder with the participant's name."""
        self._call("setCamera", argument=False)

    def turn_camera_on(self) -> None:
        """Turn the camera on again."""
        self._call("setCamera", argument=True)

    def share_screen(self) -> None:
        """Send the screen instead of the camera."""
        self._call("shareScreen", argument=True)

    def stop_sharing_screen(self) -> None:
        """Stop sharing the screen, and send the camera again."""
        self._call("shareScreen", argument=False)

    def replace_device(self, kind: Device) -> None:
        """Switch to another microphone or camera, and turn it on.

        In another application, the virtual microphone or camera is replaced with a new one, and the application decides
        whether to use the new device.

        Args:
            kind: ``"audio"`` for the microphone, ``"video"`` for the camera.

        Raises:
            ConfigError: ``kind`` is not valid.
        """
        one_of("kind", kind, get_args(Device))
        self._call("replaceDevice", kind)

    def unplug_device(self, kind: Device) -> None:
        """End the microphone's or camera's track, as if the device were unplugged.

        In another application, all tracks of the virtual microphone or camera end, and the device disappears from
        ``enumerateDevices``.

        Args:
            kind: ``"audio"`` for the microphone, ``"video"`` for the camera.

        Raises:
            ConfigError: ``kind`` is not valid.
        """
        one_of("kind", kind, get_args(Device))
        self._call("unplugDevice", kind)

    def set_speaking(self, speaking: bool) -> None:  # noqa: FBT001 - it reads like the setter that it is
        """Set whether the participant's synthetic audio is twice as loud as normal, which simulates speaking.

        Args:
            speaking: True for twice the normal level, False for the normal level.

        Raises:
            InvalidStateError: The participant does not have synthetic audio.
        """
        self._call("setSpeaking", speaking)
