// An application that works offline: requests to its own site are passed on, and all others fail.
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  const isOwn = new URL(event.request.url).origin === location.origin;
  event.respondWith(isOwn ? fetch(event.request) : Response.error());
});
