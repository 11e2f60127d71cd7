// Embeds a call from another site, like a page that embeds a provider's call. The same server serves both sites
// under different host names.
const frame = document.createElement('iframe');
Object.assign(frame, {
  src: location.href.replace('localhost', '127.0.0.1').replace('frames/other-site.html', 'simple-peer.html'),
  allow: 'camera; microphone',
  width: 700,
  height: 500,
});
document.body.append(frame);
