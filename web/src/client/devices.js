/** Devices: switches, replaces and unplugs our microphone, camera and screen. */

import { invalidState } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { extraSources } from './sources.js';

/** @typedef {import('../mixer/mixer.js').Source} Source */

/**
 * Emits `changed` when a device has been switched or replaced, and `replaced` when one of our sent tracks is replaced.
 *
 * @extends {Emitter<{changed: void, replaced: void}>}
 */
export class Devices extends Emitter {
  microphone = true;
  camera = true;
  screen = false;
  /** @type {LocalMedia | null} */
  media = null;
  /** @type {CallRoom | null} */
  #room = null;
  /** Whether the camera was on before the screen was shared. */
  #cameraBefore = true;
  #inTurn;

  /** @param {<T>(call: () => Promise<T>) => Promise<T>} inTurn the client's queue */
  constructor(inTurn) {
    super();
    this.#inTurn = inTurn;
  }

  /** Starts using the given media in the given room. @param {LocalMedia} media @param {CallRoom} room */
  use(media, room) {
    this.media = media;
    this.#room = room;
    if (media.kind === 'application') this.#followApplication(/** @type {ApplicationMediaSource} */ (media));
    else for (const track of media.stream.getTracks()) this.#followTrack(track);
    room.listen('clock', () => media.setClock(room.clock.offset));
  }

  /**
   * Announces to the room which devices are off, either because they are missing or because they were switched off in
   * the previous room.
   */
  announceOff() {
    const { stream } = this.media ?? {};
    this.microphone &&= (stream?.getAudioTracks().length ?? 0) > 0;
    this.camera &&= (stream?.getVideoTracks().length ?? 0) > 0;
    if (!this.microphone || !this.camera) this.#announce();
  }

  /** @param {boolean} on */
  setMicrophone(on) {
    this.#checkOurs();
    this.microphone = on;
    this.#announce();
  }

  /** @param {boolean} on */
  setCamera(on) {
    this.#checkOurs();
    this.camera = on;
    this.#announce();
  }

  /** @param {boolean} on */
  shareScreen(on) {
    return this.#inTurn(async () => {
      if (on === this.screen || !this.media) return;
      const [before] = this.media.stream.getVideoTracks();
      const track = await this.media.share(on);
      this.screen = on;
      // The shared screen is visible even if the camera was off. When sharing ends, the camera returns to its earlier
      // state.
      if (on) this.#cameraBefore = this.camera;
      this.camera = on || this.#cameraBefore;
      await this.#sendInstead(before, track);
    });
  }

  /** @param {'audio' | 'video'} kind @param {string} [deviceId] */
  replace(kind, deviceId) {
    return this.#inTurn(async () => {
      if (!this.media) return;
      if (this.media.kind === 'application') {
        // The application decides whether to open the new device.
        /** @type {ApplicationMediaSource} */ (this.media).plugIn(kind);
        return;
      }
      const before = this.media.stream.getTracks().find((track) => track.kind === kind);
      const ended = before?.readyState !== 'live';
      const fresh = await this.media.replace(kind, deviceId);
      // A device that replaces an unplugged one is switched on, but a device that the user switched off stays off.
      if (ended && kind === 'audio') this.microphone = true;
      else if (ended) this.camera = true;
      await this.#sendInstead(before, fresh);
    });
  }

  /** @param {'audio' | 'video'} kind */
  unplug(kind) {
    if (this.media?.kind === 'application') {
      /** @type {ApplicationMediaSource} */ (this.media).unplug(kind);
      return;
    }
    for (const track of this.media?.stream.getTracks() ?? []) {
      if (track.kind !== kind) continue;
      track.stop();
      // Unplugging a device fires an event on its track, but stopping the track in code does not.
      track.dispatchEvent(new Event('ended'));
    }
  }

  /** Ends the media. A device that is switched off stays off in the next room. */
  async close() {
    await this.media?.close();
    this.media = null;
    if (this.screen) this.camera = this.#cameraBefore;
    this.screen = false;
  }

  /**
   * Returns our own video and audio as sources for the mixer: the camera and the microphone, and the extra tracks that
   * an application sends.
   *
   * @param {CallRoom} room
   * @returns {Source[]}
   */
  sources(room) {
    const { id, name } = room;
    const stream = this.media?.stream;
    const application =
      this.media?.kind === 'application' ? /** @type {ApplicationMediaSource} */ (this.media) : null;
    const own = { name, remote: false, skew: () => Promise.resolve(0), resumePlayback: () => undefined };
    /** @type {Source} */
    const main = {
      ...own,
      id,
      videoTrack: stream?.getVideoTracks()[0] ?? null,
      audioTrack: stream?.getAudioTracks()[0] ?? null,
      video: this.camera,
      audio: this.microphone,
      screen: this.screen,
      mayRest: () => application?.mayRest(null) ?? { video: this.screen, audio: false },
    };
    if (!application) return [main];
    const extras = extraSources(
      id,
      application.extras,
      (label) => ({ ...own, mayRest: () => application.mayRest(label) }),
      (track) => track?.enabled ?? false,
    );
    return [{ ...main, markers: application.markers }, ...extras];
  }

  /**
   * Switches a device off if its track ends by itself; the recording then contains silence or the placeholder. If the
   * user stops sharing the screen with the browser's own button, switches back to the camera.
   *
   * @param {MediaStreamTrack} track
   */
  #followTrack(track) {
    track.addEventListener('ended', () => {
      if (!this.media?.stream.getTracks().includes(track)) return;
      if (track.kind === 'audio') this.setMicrophone(false);
      else if (this.screen) this.shareScreen(false).catch(() => this.setCamera(false));
      else this.setCamera(false);
    });
  }

  /**
   * Updates the state of the microphone and the camera when the application sends different tracks.
   *
   * @param {ApplicationMediaSource} media
   */
  #followApplication(media) {
    const readState = () => {
      this.microphone = media.sends('audio');
      this.camera = media.sends('video');
      this.#announce();
    };
    media.listen('changed', readState);
    readState();
  }

  /** Throws if an application controls the microphone and camera. */
  #checkOurs() {
    if (this.media?.kind === 'application') {
      throw invalidState(
        'The application controls the microphone and camera; switch them on or off in the application.',
      );
    }
  }

  /**
   * Replaces a track in the room and in the recordings.
   *
   * @param {MediaStreamTrack | undefined} before
   * @param {MediaStreamTrack} fresh
   */
  async #sendInstead(before, fresh) {
    this.#followTrack(fresh);
    if (before) await this.#room?.replaceTrack(before, fresh);
    else if (this.media) await this.#room?.publish(this.media);
    this.#announce();
    this.emit('replaced');
  }

  /** Enables the tracks of devices that are on, disables the others, and announces the state to the room. */
  #announce() {
    const { media } = this;
    if (media?.kind !== 'application') {
      for (const track of media?.stream.getAudioTracks() ?? []) track.enabled = this.microphone;
      for (const track of media?.stream.getVideoTracks() ?? []) track.enabled = this.camera;
    }
    this.#room?.announce({ audio: this.microphone, video: this.camera, screen: this.screen });
    this.emit('changed');
  }
}
