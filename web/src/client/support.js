/** Support: checks whether this browser can record a room. */

const PARTS = ['MediaStreamTrackProcessor', 'MediaStreamTrackGenerator', 'MediaRecorder', 'AudioContext'];

/**
 * Returns the reason why this browser can't record, or null if it can. Recording requires browser APIs that only Chrome
 * has. A check of the codecs would not exclude Firefox, which can also record WebM.
 *
 * @param {Record<string, unknown>} [scope]
 * @param {{userAgentData?: {brands: {brand: string}[]}}} [agent]
 */
export function unsupported(
  scope = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis)),
  agent = /** @type {{userAgentData?: {brands: {brand: string}[]}}} */ (navigator),
) {
  // On insecure pages, Chrome hides its brand, cameras and worklets.
  if (scope['isSecureContext'] === false)
    return "This page can't record: it was loaded over plain http from another machine. Open it over https or on localhost.";
  const missing = PARTS.filter((part) => !(part in scope));
  const chromium = agent.userAgentData?.brands.some(({ brand }) => brand === 'Chromium') ?? false;
  if (missing.length === 0 && chromium) return null;
  const lack = missing.length > 0 ? `it has no ${missing.join(', no ')}` : 'it is not built on Chromium';
  return `This browser can't record a room: ${lack}. Use Chrome, Edge or Chromium.`;
}
