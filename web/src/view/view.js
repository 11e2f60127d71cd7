/** View: what people see. The lobby or the room, and beside it the recording. */

import { pictureSize } from './room/tile-size.js';
import { DeviceDialog } from './room/device-dialog.js';
import { JoinForm } from './lobby/join-form.js';
import { Levels } from './room/levels.js';
import { find, say } from './page.js';
import { Player } from './recordings/player.js';
import { RecordingPanel } from './recordings/recording-panel.js';
import { Recordings } from './recordings/recordings.js';
import { Tiles } from './room/tiles.js';

/** @typedef {import("./room/tiles.js").Person} Person */

/** Follows the client's `changed`; keeps no state of its own that the client has. */
export class View {
  #document;
  #client;
  #viewer;
  #page;
  #lobby;
  #room;
  #recording;
  #title;
  #people;
  #problem;
  #onAir;
  #onAirTime;
  #microphone;
  #camera;
  #screen;
  #leave;
  #join;
  #panel;
  #tiles;
  #levels = new Levels();
  #devices;
  #recordings;
  #libraryProblem;
  #player;
  #language;
  /** The recording that stood in the list, if it is ours. */
  #listed = '';
  #warning;
  #unsupported;
  /** Ends the attempts to come back into a room that is gone. @type {AbortController | null} */
  #comingBack = null;
  /** Whether the recordings are on the screen without a room. */
  #looks = false;
  /** The room that is on the screen. @type {import("../client/client.js").Client["room"]} */
  #shown = null;
  /** The picture last asked for, in CSS pixels of height. */
  #watched = 0;

  /**
   * @param {Document} document
   * @param {import("../client/client.js").Client} client
   * @param {import('../library/viewer.js').Viewer} viewer
   * @param {import('../library/library.js').Library} library
   * @param {import('./language/language.js').Language} language
   * @param {string | null} unsupported why this browser can't record, or null
   */
  constructor(document, client, viewer, library, language, unsupported) {
    this.#document = document;
    this.#client = client;
    this.#viewer = viewer;
    this.#language = language;
    this.#page = find(document, 'page', HTMLElement);
    this.#lobby = find(document, 'lobby', HTMLElement);
    this.#room = find(document, 'room', HTMLElement);
    this.#recording = find(document, 'recording', HTMLElement);
    this.#title = find(document, 'room-title', HTMLElement);
    this.#people = find(document, 'room-people', HTMLElement);
    this.#problem = find(document, 'room-problem', HTMLElement);
    this.#onAir = find(document, 'room-recording', HTMLElement);
    this.#onAirTime = find(document, 'room-elapsed', HTMLElement);
    this.#microphone = find(document, 'microphone', HTMLButtonElement);
    this.#camera = find(document, 'camera', HTMLButtonElement);
    this.#screen = find(document, 'screen', HTMLButtonElement);
    this.#leave = find(document, 'leave', HTMLButtonElement);
    this.#join = new JoinForm(document, client, viewer, language);
    this.#panel = new RecordingPanel(document, client, language);
    this.#tiles = new Tiles(
      find(document, 'tiles', HTMLElement),
      find(document, 'tile', HTMLTemplateElement),
      find(document, 'stage', HTMLElement),
      matchMedia('(min-width: 60rem)'),
      language.t,
    );
    this.#devices = new DeviceDialog(document, client, language, (speaker) => this.#tiles.playAt(speaker));
    this.#recordings = new Recordings(document, language);
    this.#libraryProblem = find(document, 'library-problem', HTMLElement);
    this.#player = new Player(document, library, language);
    const select = find(document, 'language', HTMLSelectElement);
    select.value = language.code;
    select.addEventListener('change', () => language.choose(select.value));
    this.#warning = find(document, 'unsupported', HTMLElement);
    this.#unsupported = unsupported ?? '';
  }

  /** Shows the page, and keeps it up to date from now on. */
  show() {
    const client = this.#client;
    client.listen('changed', () => this.#render());
    this.#viewer.listen('changed', () => this.#render());
    this.#language.listen('changed', () => this.#render());
    this.#join.listen('done', (problem) => {
      say(this.#problem, problem);
      this.#watch();
    });
    this.#tiles.listen('arranged', () => this.#watch());
    this.#panel.listen('state', () => this.#renderOnAir());
    this.#levels.listen('heard', (loudness) => this.#tiles.hear(loudness));
    this.#recordings.listen('opened', (item) => this.#player.open(item, this.#shown !== null));
    this.#microphone.addEventListener('click', () => this.#switch('audio'));
    this.#camera.addEventListener('click', () => this.#switch('video'));
    this.#screen.addEventListener('click', () => void this.#share());
    this.#leave.addEventListener('click', () => void this.#goOut());
    this.#page.hidden = false;
    this.#render();
    this.#join.focus();
  }

  #render() {
    const client = this.#client;
    // Who can't record can still meet the others; it is said before anybody joins.
    say(this.#warning, this.#language.said(this.#unsupported));
    const room = client.state === 'joined' ? client.room : null;
    this.#lobby.hidden = room !== null;
    this.#room.hidden = room === null;
    this.#page.dataset['place'] = room ? 'room' : 'lobby';
    // A recording outlives the room: it can still be downloaded and cleaned.
    const outlives = client.recording?.state === 'stopped';
    const looks = !room && this.#viewer.recordings !== null;
    this.#recording.hidden = !room && !outlives && !looks;
    this.#recording.toggleAttribute('data-looks', looks);
    this.#recording.toggleAttribute('data-only', looks && !outlives);
    if (!room && this.#document.activeElement === this.#document.body) this.#join.focus();
    if (room !== this.#shown) this.#move(room);
    this.#microphone.ariaPressed = String(client.microphone);
    this.#camera.ariaPressed = String(client.camera);
    this.#screen.ariaPressed = String(client.screen);
    const people = room ? [this.#self(room.id), ...[...room.participants.values()].map(person)] : [];
    this.#tiles.update(people);
    this.#levels.follow(sounds(people));
    this.#watch();
    const { t } = this.#language;
    const many = people.length === 1 ? t('Only you so far') : t('{count} people', { count: people.length });
    const by = [...new Set((room?.recordings ?? []).filter(records).map(({ participant }) => participant))];
    say(this.#people, by.length ? `${many} · ${t('recorded by {names}', { names: by.join(', ') })}` : many);
    this.#panel.render();
    this.#renderRecordings();
  }

  #renderRecordings() {
    const recordings = this.#shown ? this.#shown.recordings : this.#viewer.recordings;
    // First the player, which gives the focus back to the list.
    this.#player.render(recordings ?? []);
    this.#recordings.render(recordings);
    const looks = !this.#shown && recordings !== null;
    if (looks && !this.#looks) this.#recordings.focus();
    this.#looks = looks;
    const { t } = this.#language;
    const gone = 'The server is gone; the list goes on as soon as it is back.';
    say(this.#libraryProblem, this.#viewer.lost ? t(gone) : '');
    if (recordings) this.#followOwn(recordings);
  }

  /** What somebody deleted from the list is gone for its owner, too. @param {LibraryItem[]} recordings */
  #followOwn(recordings) {
    const { recording: take } = this.#client;
    const there = recordings.some(({ id }) => id === take?.id);
    if (!there && take?.state === 'stopped' && this.#listed === take.id)
      void this.#panel.run('cleaning', () => this.#client.cleanMediaRecording());
    this.#listed = there ? (take?.id ?? '') : '';
  }

  /** Switches the microphone or the camera; one that was pulled out is looked for again. @param {'audio' | 'video'} kind */
  #switch(kind) {
    const client = this.#client;
    const on = kind === 'audio' ? client.microphone : client.camera;
    const track = client.media?.stream.getTracks().find((one) => one.kind === kind);
    if (!on && track?.readyState !== 'live') {
      say(this.#problem, '');
      client.replaceDevice(kind).catch((/** @type {unknown} */ error) => {
        say(this.#problem, this.#language.error(error));
      });
    } else if (kind === 'audio') client.setMicrophone(!on);
    else client.setCamera(!on);
  }

  /** Goes over to a room, or back to the lobby. @param {import("../client/client.js").Client["room"]} room */
  #move(room) {
    this.#shown = room;
    this.#watched = 0;
    this.#comingBack?.abort();
    say(this.#problem, '');
    // Who is in sees them there.
    if (room) this.#viewer.close();
    if (!room) {
      this.#devices.close();
      this.#player.close();
      this.#join.focus();
      return;
    }
    /** @param {'lost' | 'resumed' | 'closed' | 'recordings'} type @param {() => void} handler */
    const on = (type, handler) =>
      room.listen(type, () => {
        if (this.#shown === room) handler();
      });
    const { t } = this.#language;
    on('lost', () => {
      const told = 'The connection to the server is lost; trying again. Pictures and sound go on without it.';
      say(this.#problem, t(told));
    });
    on('resumed', () => say(this.#problem, ''));
    on('closed', () => void this.#comeBack());
    on('recordings', () => this.#render());
    this.#title.focus({ preventScroll: true });
  }

  /** Joins again when the server is back; who would rather not leaves. */
  async #comeBack() {
    say(this.#problem, this.#language.t('The server is gone; you will be back in as soon as it is.'));
    this.#comingBack = new AbortController();
    await this.#join.again(this.#comingBack.signal);
  }

  /** Asks for everybody's picture, as large as the tiles show it; who just comes in is first received by the others. */
  #watch() {
    if (!this.#shown || this.#join.busy) return;
    const size = pictureSize(this.#tiles.width, devicePixelRatio);
    if (size.height === this.#watched) return;
    this.#watched = size.height;
    this.#client.watch({ '*': size });
  }

  #renderOnAir() {
    const recording = this.#panel.state === 'recording';
    this.#onAir.hidden = !recording;
    say(this.#onAirTime, this.#panel.elapsed);
    const title = this.#language.t('Recording room');
    this.#document.title = recording ? `\u25cf ${title}` : title;
  }

  /** Shares the screen, or the camera again; who changes their mind in the browser's own question shares nothing. */
  async #share() {
    this.#screen.disabled = true;
    say(this.#problem, '');
    try {
      await this.#client.shareScreen(!this.#client.screen);
    } catch (error) {
      const refused = error instanceof Error && error.name === 'NotAllowedError';
      if (!refused) say(this.#problem, this.#language.error(error));
    }
    this.#screen.disabled = false;
    this.#screen.focus();
  }

  async #goOut() {
    this.#leave.disabled = true;
    const leave = () => this.#client.leave();
    if (this.#panel.state === 'recording') await this.#panel.run('stopping', leave);
    else await leave();
    this.#leave.disabled = false;
  }

  /** @param {string} id @returns {Person} */
  #self(id) {
    const { name, media, microphone, camera } = this.#client;
    return {
      id,
      name,
      self: true,
      audio: microphone,
      video: camera,
      tracks: media?.stream.getVideoTracks() ?? [],
      sound: media?.stream.getAudioTracks()[0] ?? null,
    };
  }
}

/** @param {CallParticipant} member @returns {Person} */
const person = ({ id, name, info, videoTrack, audioTrack }) => ({
  id,
  name,
  self: false,
  audio: info.audio,
  video: info.video,
  tracks: [videoTrack, audioTrack].filter((track) => track !== null),
  sound: audioTrack,
});

/** @param {LibraryItem} item */
const records = ({ state }) => state === 'recording';

/** @param {Person[]} people */
function sounds(people) {
  /** @type {Map<string, MediaStreamTrack>} */
  const found = new Map();
  for (const { id, audio, sound } of people) if (audio && sound) found.set(id, sound);
  return found;
}
