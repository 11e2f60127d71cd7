// Embeds a call in a sandboxed frame. The page URL's query string lists the frame's additional permissions.
const frame = document.createElement('iframe');
Object.assign(frame, {
  src: '/simple-peer.html',
  sandbox: `allow-scripts allow-same-origin ${decodeURIComponent(location.search.slice(1))}`,
  allow: 'camera; microphone',
  width: 700,
  height: 500,
});
document.body.append(frame);
