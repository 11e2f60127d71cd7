// Begins the call when the service worker controls the page.
const { serviceWorker } = navigator;
const controlled = new Promise((resolve) => serviceWorker.addEventListener('controllerchange', resolve));
await serviceWorker.register('/service-worker.js');
if (!serviceWorker.controller) await controlled;
await import('/alone.js');
