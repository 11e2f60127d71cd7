/** Participant: somebody else in our own room, and at which size somebody is subscribed to. */

/**
 * The facts that the server knows of somebody, and the tracks that arrived from them.
 *
 * @implements {CallParticipant}
 */
export class Participant {
  /** @type {MediaStreamTrack | null} */
  videoTrack = null;
  /** @type {MediaStreamTrack | null} */
  audioTrack = null;
  /** Whether a decoded frame and audio of theirs have arrived here. */
  received = false;
  /** Whether the connection to them is broken. */
  disconnected = false;

  /** @param {MemberInfo} info @param {boolean} [remoteServer] whether they joined by way of another server than ours */
  constructor(info, remoteServer = false) {
    this.info = info;
    this.remoteServer = remoteServer;
  }

  get id() {
    return this.info.id;
  }

  get name() {
    return this.info.name;
  }
}

/** Returns the size at which `id` is subscribed to, null if it isn't. @param {Subscriptions} subscriptions @param {string} id @returns {VideoSize | null} */
export const sizeFor = (subscriptions, id) => subscriptions?.[id] ?? subscriptions?.['*'] ?? null;

/** Returns the larger size by pixels per second. @param {VideoSize | null} one @param {VideoSize | null} other */
export const largerOf = (one, other) => (!one || (other && rate(other) > rate(one)) ? other : one);

/** @param {VideoSize} size */
const rate = ({ width, height, frameRate }) => width * height * frameRate;
