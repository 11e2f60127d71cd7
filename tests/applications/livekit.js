/* global LivekitClient */
// A call with LiveKit's client. One connection sends media to the server, and a second one receives the media of all
// participants.
const { Room, RoomEvent, VideoPresets } = LivekitClient;
const { searchParams } = new URL(location.href);
const state = document.querySelector('#state');
const room = new Room({
  singlePeerConnection: false,
  videoCaptureDefaults: { resolution: VideoPresets.h360.resolution },
  publishDefaults: { simulcast: false, videoCodec: 'vp8' },
});
room.on(RoomEvent.TrackSubscribed, (track) => {
  document.body.append(track.attach());
  state.textContent = `with ${room.remoteParticipants.size}`;
});
room.on(RoomEvent.TrackUnsubscribed, (track) => track.detach().forEach((element) => element.remove()));
room.on(
  RoomEvent.ParticipantDisconnected,
  () => (state.textContent = `with ${room.remoteParticipants.size}`),
);
await room.connect(
  searchParams.get('server') ?? `${location.origin.replace('http', 'ws')}/livekit`,
  searchParams.get('token') ?? searchParams.get('me'),
);
await room.localParticipant.enableCameraAndMicrophone();
document.querySelector('#mute').addEventListener('click', () => {
  const { localParticipant } = room;
  void localParticipant.setMicrophoneEnabled(!localParticipant.isMicrophoneEnabled);
});
document.querySelector('#leave').addEventListener('click', () => void room.disconnect());
