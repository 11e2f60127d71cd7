"""Record in a network namespace whose only interface goes down for a while.

Run as ``unshare --net python -m tests.support.network.namespace FOLDER``. All sockets to the server and all media use
the namespace's loopback interface. The program prints the recording as JSON.
"""

import fcntl
import json
import socket
import struct
import sys

from harness import RecordConfig, open_room

GET_FLAGS, SET_FLAGS = 0x8913, 0x8914
UP = 0x1


def loopback(*, up: bool) -> None:
    """Turn the loopback interface on or off (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        _, flags, _ = struct.unpack("16sH14s", fcntl.ioctl(control, GET_FLAGS, request))
        flags = flags | UP if up else flags & ~UP
        fcntl.ioctl(control, SET_FLAGS, struct.pack("16sH14s", b"lo", flags, b""))


def main(folder: str) -> None:
    """Record Alice and Bob for 6.5 seconds, including two seconds without a network."""
    loopback(up=True)
    with open_room(recordings=folder) as room:
        alice, _ = room.join_all("alice", "bob")
        alice.start_media_recording(recorder="all", record_config=RecordConfig(record_name="down"))
        room.wait(seconds=1.5)
        loopback(up=False)
        room.wait(seconds=2)
        loopback(up=True)
        room.wait(seconds=3)
        recording = alice.download_media_recording()
    json.dump(recording.as_json(), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
