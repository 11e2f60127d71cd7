// Embeds a call of another site, like pages that embed the call of a provider. Only the host names of the two sites differ.
const frame = document.createElement('iframe');
Object.assign(frame, {
  src: location.href.replace('localhost', '127.0.0.1').replace('frames/other-site.html', 'simple-peer.html'),
  allow: 'camera; microphone',
  width: 700,
  height: 500,
});
document.body.append(frame);
