// A call with oneself: two connections in one page, without a server.
const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 360 } });
const [here, there] = [new RTCPeerConnection(), new RTCPeerConnection()];
here.addEventListener('icecandidate', ({ candidate }) => there.addIceCandidate(candidate));
there.addEventListener('icecandidate', ({ candidate }) => here.addIceCandidate(candidate));
for (const track of stream.getTracks()) here.addTrack(track, stream);
await here.setLocalDescription();
await there.setRemoteDescription(here.localDescription);
await there.setLocalDescription();
await here.setRemoteDescription(there.localDescription);
here.addEventListener('connectionstatechange', () => document.body.append(here.connectionState));
