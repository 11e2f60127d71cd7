/** Support: checks whether this browser can record a room, and which fallbacks it needs. */

import { canCollectGarbage, hasSharedMemory } from '../shared/memory.js';
import { pause } from '../shared/promises.js';

const PARTS = ['MediaStreamTrackProcessor', 'MediaStreamTrackGenerator', 'MediaRecorder', 'AudioContext'];

/**
 * Returns the reason why this browser can't record, or null if it can. Recording requires browser APIs that only Chrome
 * has. Checking the codecs would not exclude Firefox, which can also record WebM.
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
  const lack = missing.length > 0 ? `it has no ${missing.join(', no ')}` : 'it is not based on Chromium';
  return `This browser can't record a room: ${lack}. Use Chrome, Edge or Chromium.`;
}

/**
 * Returns the names of the fallbacks in use, which the manifest lists.
 *
 * @param {boolean} [activated] whether Python had to simulate a user gesture
 * @returns {FallbackName[]}
 */
export function fallbacksInUse(activated = false) {
  /** @type {Record<FallbackName, boolean>} */
  const inUse = { 'shared-memory': !hasSharedMemory, gc: !canCollectGarbage, 'user-activation': activated };
  const names = /** @type {FallbackName[]} */ (Object.keys(inUse));
  return names.filter((name) => inUse[name]);
}

/**
 * Resolves to true if Chrome plays no audio until the user interacts with the page (Chrome facts 6, 47).
 *
 * @param {{userActivation: {hasBeenActive: boolean}}} [agent]
 */
export async function isAudioBlocked(agent = navigator) {
  if (agent.userActivation.hasBeenActive) return false;
  const refused = new Audio().play().then(
    () => false,
    (/** @type {Error} */ { name }) => name === 'NotAllowedError',
  );
  // If audio is allowed, `play` waits for the element's source. Otherwise, `play` fails at once.
  return Promise.race([refused, pause(0).then(() => false)]);
}
