"""The parts of a LiveKit server that LiveKit's real client needs for a call; aiortc handles the media.

Each participant has two connections: one for publishing tracks, and one, offered by the server, for subscribed tracks.
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
class _Participant:
    """A participant in the room, with a socket, both connections, and the published tracks by track ID."""

    info: models.ParticipantInfo
    socket: web.WebSocketResponse
    publisher: RTCPeerConnection = field(default_factory=RTCPeerConnection)
    subscriber: RTCPeerConnection = field(default_factory=RTCPeerConnection)
    tracks: dict[str, MediaStreamTrack] = field(default_factory=dict)
    # Allows only one offer at a time; the next offer waits until the current one has been answered.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, **message: Any) -> None:
        if not self.socket.closed:
            await self.socket.send_bytes(rtc.SignalResponse(**message).SerializeToString())


class LiveKit:
    """A server with one room; ``handle`` serves a client's WebSocket."""

    def __init__(self) -> None:
        self._participants: list[_Participant] = []
        self._relay = MediaRelay()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve a participant until they leave; their token is their name."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        name = request.query["access_token"]
        info = models.ParticipantInfo(sid=f"PA_{name}", identity=name, name=name, state="ACTIVE")
        info.permission.CopyFrom(models.ParticipantPermission(can_subscribe=True, can_publish=True))
        participant = _Participant(info, socket)

        @participant.publisher.on("track")
        async def on_track(track: MediaStreamTrack) -> None:
            kind = _TRACK_TYPES[track.kind]
            free = [one for one in participant.info.tracks if one.sid not in participant.tracks and one.type == kind]
            if not free:
                return
            (published, *_) = free
            participant.tracks[published.sid] = track
            await asyncio.gather(*(self._offer(other) for other in self._participants if other is not participant))

        others = [other.info for other in self._participants]
        self._participants.append(participant)
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
        await participant.send(join=join)
        await self._send_state(participant)
        offering = asyncio.ensure_future(self._offer(participant))
        try:
            async for message in socket:
                if message.type is not WSMsgType.BINARY or not await self._handle_message(
                    participant, rtc.SignalRequest.FromString(message.data)
                ):
                    break
        finally:
            offering.cancel()
            self._participants.remove(participant)
            info.state = models.ParticipantInfo.State.DISCONNECTED
            await self._send_state(participant)
            await participant.publisher.close()
            await participant.subscriber.close()
            await asyncio.gather(*(self._offer(other) for other in self._participants))
        return socket

    async def _handle_message(self, participant: _Participant, message: rtc.SignalRequest) -> bool:  # noqa: C901 - one branch per message
        """Handle a client's message; return whether the client remains connected."""
        match message.WhichOneof("message"):
            case "add_track":
                request = message.add_track
                track = models.TrackInfo(
                    sid=f"TR_{participant.info.identity}_{len(participant.info.tracks)}",
                    type=request.type,
                    name=request.name,
                    source=request.source,
                    width=request.width,
                    height=request.height,
                )
                participant.info.tracks.append(track)
                await participant.send(track_published=rtc.TrackPublishedResponse(cid=request.cid, track=track))
                await self._send_state(participant)
            case "offer":
                await participant.publisher.setRemoteDescription(RTCSessionDescription(message.offer.sdp, "offer"))
                await participant.publisher.setLocalDescription(await participant.publisher.createAnswer())
                answer = participant.publisher.localDescription
                await participant.send(
                    answer=rtc.SessionDescription(type="answer", sdp=answer.sdp, id=message.offer.id)
                )
            case "answer":
                await participant.subscriber.setRemoteDescription(RTCSessionDescription(message.answer.sdp, "answer"))
                participant.answered.set()
            case "trickle":
                connection = (
                    participant.subscriber
                    if message.trickle.target == rtc.SignalTarget.SUBSCRIBER
                    else participant.publisher
                )
                candidate_init = json.loads(message.trickle.candidateInit)
                if candidate_init.get("candidate") and connection.remoteDescription is not None:
                    candidate = candidate_from_sdp(candidate_init["candidate"].partition(":")[2])
                    candidate.sdpMid, candidate.sdpMLineIndex = (
                        candidate_init.get("sdpMid"),
                        candidate_init.get("sdpMLineIndex"),
                    )
                    await connection.addIceCandidate(candidate)
            case "mute":
                for track in participant.info.tracks:
                    if track.sid == message.mute.sid:
                        track.muted = message.mute.muted
                await self._send_state(participant)
            case "ping_req":
                await participant.send(pong_resp=rtc.Pong(last_ping_timestamp=message.ping_req.timestamp))
            case "leave":
                return False
        return True

    async def _offer(self, participant: _Participant) -> None:
        """Offer a participant the tracks of all other participants, and stop tracks that are no longer published."""
        async with participant.turn:
            sent = {sender._track_id for sender in participant.subscriber.getSenders()}
            fresh = [
                (other, sid, track)
                for other in self._participants
                if other is not participant
                for sid, track in other.tracks.items()
                if sid not in sent
            ]
            here = {sid for other in self._participants for sid in other.tracks}
            over = [
                one
                for one in participant.subscriber.getTransceivers()
                if one.sender.track is not None and one.sender._track_id not in here
            ]
            if not fresh and not over:
                return
            for transceiver in over:
                transceiver.sender.replaceTrack(None)
                transceiver.direction = "inactive"
            for other, sid, track in fresh:
                sender = participant.subscriber.addTrack(self._relay.subscribe(track))
                # The client derives a track's publisher from these IDs.
                sender._stream_id, sender._track_id = f"{other.info.sid}|{sid}", sid
            participant.answered.clear()
            await participant.subscriber.setLocalDescription(await participant.subscriber.createOffer())
            offer = participant.subscriber.localDescription
            await participant.send(offer=rtc.SessionDescription(type="offer", sdp=offer.sdp))
            await asyncio.wait_for(participant.answered.wait(), 10)

    async def _send_state(self, participant: _Participant) -> None:
        """Send a participant's state to all participants in the room."""
        for other in self._participants:
            await other.send(update=rtc.ParticipantUpdate(participants=[participant.info]))
