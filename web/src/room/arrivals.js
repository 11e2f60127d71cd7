/**
 * Arrivals: waits until we have received the first frame and audio from the other participants, and until they have
 * received ours.
 */

import { stepTimeout, within } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { pause } from '../shared/promises.js';
import { isReceiving } from '../webrtc/statistics.js';
import { sizeFor } from './participant.js';

/** How often to check the statistics for a participant's first frame and audio, in ms. */
const CHECK_EVERY = 40;
/** How often to check whether media from every participant has arrived, in ms. This check costs nearly nothing. */
const LOOK_EVERY = 10;
export const RECEIVED_WITHIN = 20_000;

/** @typedef {import('./participant.js').Participant} Participant */

/**
 * Emits `received` with each participant whose first frame and audio have arrived.
 *
 * @extends {Emitter<{received: Participant}>}
 */
export class Arrivals extends Emitter {
  /** The participants that we subscribe to. @type {Subscriptions} */
  subscriptions = null;
  /**
   * The subscribers who must receive our media before our join completes, by id.
   *
   * @type {Map<string, PromiseWithResolvers<void>>}
   */
  #subscribers = new Map();
  #participants;
  #stats;

  /**
   * @param {Map<string, Participant>} participants
   * @param {(id: string) => Promise<RTCStatsReport | null>} stats reads the statistics for the connection to a
   * participant
   */
  constructor(participants, stats) {
    super();
    this.#participants = participants;
    this.#stats = stats;
  }

  /** Adds a subscriber who must receive our media before our join completes. @param {string} id */
  expect(id) {
    this.#subscribers.set(id, Promise.withResolvers());
  }

  /** Stops waiting for a subscriber who has received our media or has left. @param {string} id */
  confirm(id) {
    this.#subscribers.get(id)?.resolve();
  }

  /**
   * Resolves when every expected subscriber has received our media; fails with a StepTimeout that names a missing
   * subscriber.
   *
   * @param {number} ms
   */
  async receivedByAll(ms) {
    const waiting = [...this.#subscribers].map(([id, { promise }]) => {
      const name = () => this.#participants.get(id)?.name ?? id;
      return within(
        promise,
        ms,
        () => `${name()} did not receive our first frame and audio within ${ms / 1000} s.`,
      );
    });
    await Promise.all(waiting);
    this.#subscribers.clear();
  }

  /**
   * Resolves when we receive media from every participant that we subscribe to; fails with a StepTimeout that names the
   * missing participants.
   */
  async allReceived() {
    const end = performance.now() + RECEIVED_WITHIN;
    for (;;) {
      const missing = [...this.#participants.values()].filter(
        (one) => this.#isAwaited(one) && (one.info.audio || one.info.video),
      );
      if (missing.length === 0) return;
      if (performance.now() > end) {
        const names = missing.map(({ name }) => name).join(', ');
        throw stepTimeout(`No video or audio from ${names} arrived within 20 s.`);
      }
      await pause(LOOK_EVERY);
    }
  }

  /** Waits for the first frame and audio from each participant that we subscribe to. */
  watchAll() {
    for (const participant of this.#participants.values()) void this.watch(participant);
  }

  /**
   * Waits for a participant's first frame and audio, until they arrive or we no longer subscribe to the participant.
   *
   * @param {Participant} participant
   */
  async watch(participant) {
    while (this.#isAwaited(participant) && this.#participants.get(participant.id) === participant) {
      const stats = await this.#stats(participant.id);
      // Another call to `watch` may have been waiting for the same participant.
      if (stats && !participant.received && isReceiving(stats, participant.info)) {
        participant.received = true;
        this.emit('received', participant);
        return;
      }
      await pause(CHECK_EVERY);
    }
  }

  /** @param {Participant} participant */
  #isAwaited({ id, received }) {
    return !received && sizeFor(this.subscriptions, id) !== null;
  }
}
