"""As much of a LiveKit server as its real client needs for a call: signalling by its protocol, media by aiortc.

Everybody has two connections: what they publish, and, offered by the server, what they subscribe to.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from aiortc.sdp import candidate_from_sdp
from livekit.protocol import models, rtc

if TYPE_CHECKING:
    from aiortc import MediaStreamTrack

_TRACK_TYPES = {"audio": models.TrackType.AUDIO, "video": models.TrackType.VIDEO}


@dataclass(eq=False)
class _Person:
    """A participant in the room: the socket, both connections, and the published tracks by the server's names."""

    info: models.ParticipantInfo
    socket: web.WebSocketResponse
    publisher: RTCPeerConnection = field(default_factory=RTCPeerConnection)
    subscriber: RTCPeerConnection = field(default_factory=RTCPeerConnection)
    tracks: dict[str, MediaStreamTrack] = field(default_factory=dict)
    # One offer at a time; the next waits for the answer.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, **message: Any) -> None:
        if not self.socket.closed:
            await self.socket.send_bytes(rtc.SignalResponse(**message).SerializeToString())


class LiveKit:
    """One room; ``handle`` serves a client's WebSocket."""

    def __init__(self) -> None:
        self._people: list[_Person] = []
        self._relay = MediaRelay()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve a participant until they leave; the token is the name."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        name = request.query["access_token"]
        info = models.ParticipantInfo(sid=f"PA_{name}", identity=name, name=name, state="ACTIVE")
        info.permission.CopyFrom(models.ParticipantPermission(can_subscribe=True, can_publish=True))
        person = _Person(info, socket)

        @person.publisher.on("track")
        async def came(track: MediaStreamTrack) -> None:
            kind = _TRACK_TYPES[track.kind]
            free = [one for one in person.info.tracks if one.sid not in person.tracks and one.type == kind]
            if not free:
                return
            (published, *_) = free
            person.tracks[published.sid] = track
            await asyncio.gather(*(self._offer(other) for other in self._people if other is not person))

        others = [other.info for other in self._people]
        self._people.append(person)
        room = models.Room(sid="RM_room", name="room")
        server = models.ServerInfo(version="1.9.0", protocol=16)
        join = rtc.JoinResponse(
            room=room,
            participant=info,
            other_participants=others,
            server_version=server.version,
            server_info=server,
            subscriber_primary=False,
            ping_interval=30,
            ping_timeout=60,
        )
        await person.say(join=join)
        await self._tell(person)
        offering = asyncio.ensure_future(self._offer(person))
        try:
            async for message in socket:
                if message.type is not WSMsgType.BINARY or not await self._obey(
                    person, rtc.SignalRequest.FromString(message.data)
                ):
                    break
        finally:
            offering.cancel()
            self._people.remove(person)
            info.state = models.ParticipantInfo.State.DISCONNECTED
            await self._tell(person)
            await person.publisher.close()
            await person.subscriber.close()
            await asyncio.gather(*(self._offer(other) for other in self._people))
        return socket

    async def _obey(self, person: _Person, message: rtc.SignalRequest) -> bool:  # noqa: C901 - one a message
        """Handle a client's message; return whether the client stays."""
        match message.WhichOneof("message"):
            case "add_track":
                asked = message.add_track
                track = models.TrackInfo(
                    sid=f"TR_{person.info.identity}_{len(person.info.tracks)}",
                    type=asked.type,
                    name=asked.name,
                    source=asked.source,
                    width=asked.width,
                    height=asked.height,
                )
                person.info.tracks.append(track)
                await person.say(track_published=rtc.TrackPublishedResponse(cid=asked.cid, track=track))
                await self._tell(person)
            case "offer":
                await person.publisher.setRemoteDescription(RTCSessionDescription(message.offer.sdp, "offer"))
                await person.publisher.setLocalDescription(await person.publisher.createAnswer())
                answer = person.publisher.localDescription
                await person.say(answer=rtc.SessionDescription(type="answer", sdp=answer.sdp, id=message.offer.id))
            case "answer":
                await person.subscriber.setRemoteDescription(RTCSessionDescription(message.answer.sdp, "answer"))
                person.answered.set()
            case "trickle":
                connection = (
                    person.subscriber if message.trickle.target == rtc.SignalTarget.SUBSCRIBER else person.publisher
                )
                said = json.loads(message.trickle.candidateInit)
                if said.get("candidate") and connection.remoteDescription is not None:
                    candidate = candidate_from_sdp(said["candidate"].partition(":")[2])
                    candidate.sdpMid, candidate.sdpMLineIndex = said.get("sdpMid"), said.get("sdpMLineIndex")
                    await connection.addIceCandidate(candidate)
            case "mute":
                for track in person.info.tracks:
                    if track.sid == message.mute.sid:
                        track.muted = message.mute.muted
                await self._tell(person)
            case "ping_req":
                await person.say(pong_resp=rtc.Pong(last_ping_timestamp=message.ping_req.timestamp))
            case "leave":
                return False
        return True

    async def _offer(self, person: _Person) -> None:
        """Offer a participant the tracks that the others publish, and stop those that nobody publishes any more."""
        async with person.turn:
            sent = {sender._track_id for sender in person.subscriber.getSenders()}
            fresh = [
                (other, sid, track)
                for other in self._people
                if other is not person
                for sid, track in other.tracks.items()
                if sid not in sent
            ]
            here = {sid for other in self._people for sid in other.tracks}
            over = [
                one
                for one in person.subscriber.getTransceivers()
                if one.sender.track is not None and one.sender._track_id not in here
            ]
            if not fresh and not over:
                return
            for transceiver in over:
                transceiver.sender.replaceTrack(None)
                transceiver.direction = "inactive"
            for other, sid, track in fresh:
                sender = person.subscriber.addTrack(self._relay.subscribe(track))
                # By these the client knows whose they are.
                sender._stream_id, sender._track_id = f"{other.info.sid}|{sid}", sid
            person.answered.clear()
            await person.subscriber.setLocalDescription(await person.subscriber.createOffer())
            offer = person.subscriber.localDescription
            await person.say(offer=rtc.SessionDescription(type="offer", sdp=offer.sdp))
            await asyncio.wait_for(person.answered.wait(), 10)

    async def _tell(self, person: _Person) -> None:
        """Send a participant's state to all others."""
        for other in self._people:
            await other.say(update=rtc.ParticipantUpdate(participants=[person.info]))
