/**
 * Participant: represents another participant in our room. This module also contains helpers for requested video sizes.
 */

/**
 * The server's information about a participant, and the tracks that we receive from them.
 *
 * @implements {CallParticipant}
 */
export class Participant {
  /** @type {MediaStreamTrack | null} */
  videoTrack = null;
  /** @type {MediaStreamTrack | null} */
  audioTrack = null;
  /** Whether we have received and decoded a frame and audio from the participant. */
  received = false;
  /** Whether the connection to the participant is broken. */
  disconnected = false;

  /**
   * @param {MemberInfo} info
   * @param {boolean} [remoteServer] whether the participant joined through a server other than ours
   */
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

/**
 * Returns the video size that these subscriptions request from the participant `id`, or null if they don't include the
 * participant.
 *
 * @param {Subscriptions} subscriptions
 * @param {string} id
 * @returns {VideoSize | null}
 */
export const sizeFor = (subscriptions, id) => subscriptions?.[id] ?? subscriptions?.['*'] ?? null;

/** Returns the name with a number, if necessary, so that nobody else has it. @param {string} name @param {Set<string>} taken */
export function freeName(name, taken) {
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${name} ${number}`;
  return free;
}

/** Returns the larger size, by pixels per second. @param {VideoSize | null} one @param {VideoSize | null} other */
export const largerOf = (one, other) => (!one || (other && rate(other) > rate(one)) ? other : one);

/** @param {VideoSize} size */
const rate = ({ width, height, frameRate }) => width * height * frameRate;
