// Embeds the call of another site, as pages embed a provider's call. The host name differs, the server is the same.
const frame = document.createElement('iframe');
Object.assign(frame, {
  src: location.href.replace('localhost', '127.0.0.1').replace('frames/other-site.html', 'simple-peer.html'),
  allow: 'camera; microphone',
  width: 700,
  height: 500,
});
document.body.append(frame);
