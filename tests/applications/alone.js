// A call between two peer connections in the same page, without a server.
const stream = await navigator.mediaDevices.getUserMedia({
  audio: true,
  video: { width: 640, height: 360, frameRate: 15 },
});
const [caller, callee] = [new RTCPeerConnection(), new RTCPeerConnection()];
caller.addEventListener('icecandidate', ({ candidate }) => callee.addIceCandidate(candidate));
callee.addEventListener('icecandidate', ({ candidate }) => caller.addIceCandidate(candidate));
for (const track of stream.getTracks()) caller.addTrack(track, stream);
await caller.setLocalDescription();
await callee.setRemoteDescription(caller.localDescription);
await callee.setLocalDescription();
await caller.setRemoteDescription(callee.localDescription);
caller.addEventListener('connectionstatechange', () => document.body.append(caller.connectionState));
