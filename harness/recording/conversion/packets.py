"""Decode the packets of a recording that is being converted, and count those that can't be decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from av.error import FFmpegError

if TYPE_CHECKING:
    from av.packet import Packet


class PacketDecoder:
    """Decodes the packets of one track; ``broken`` is the number of packets that could not be decoded."""

    def __init__(self) -> None:
        self.broken = 0

    def decode(self, packet: Packet[Any]) -> list[Any]:
        """Return the frames in a packet. Raises MemoryError if a frame is too large."""
        try:
            return list(packet.decode())
        except MemoryError:
            raise
        except FFmpegError:
            self.broken += 1
            return []

    def __str__(self) -> str:
        """Return the number of packets that could not be decoded, as the subject of a sentence."""
        return "One packet" if self.broken == 1 else f"{self.broken} packets"
