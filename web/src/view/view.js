/**
 * View: the user interface, which shows the lobby or the room, and the recording panel next to it.
 *
 * Input: events from the client, the viewer and the language. Output: calls to the client and the library. main.js
 * creates the View when the page is shown. The View's parts are in the subfolders of this folder.
 */

import { videoSize } from './room/tile-size.js';
import { DeviceDialog } from './room/device-dialog.js';
import { JoinForm } from './lobby/join-form.js';
import { Levels } from './room/levels.js';
import { find, setText } from './page.js';
import { Player } from './recordings/player.js';
import { RecordingPanel } from './recordings/recording-panel.js';
import { RecordingList } from './recordings/recording-list.js';
import { Tiles } from './room/tiles.js';

/** @typedef {import("./room/tiles.js").TileContent} TileContent */

/** Updates the page when the client emits `changed`. The View keeps no copy of the client's state. */
export class View {
  #document;
  #client;
  #viewer;
  #page;
  #lobby;
  #room;
  #recording;
  #title;
  #participants;
  #problem;
  #recordingBadge;
  #recordingTime;
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
  /** The id of our recording if it was in the list at the last update, otherwise ''. */
  #listed = '';
  #warning;
  #unsupported;
  /** Stops the attempts to rejoin a room after the connection was lost. @type {AbortController | null} */
  #rejoining = null;
  /** Whether the recordings are being viewed outside of a room. */
  #viewing = false;
  /** The displayed room. @type {import("../client/client.js").Client["room"]} */
  #shown = null;
  /** The video height that was last requested, in pixels. */
  #requestedHeight = 0;

  /**
   * @param {Document} document
   * @param {import("../client/client.js").Client} client
   * @param {import('../library/viewer.js').Viewer} viewer
   * @param {import('../library/library.js').Library} library
   * @param {import('./language/language.js').Language} language
   * @param {string | null} unsupported the reason why this browser can't record, or null
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
    this.#participants = find(document, 'room-participants', HTMLElement);
    this.#problem = find(document, 'room-problem', HTMLElement);
    this.#recordingBadge = find(document, 'room-recording', HTMLElement);
    this.#recordingTime = find(document, 'room-elapsed', HTMLElement);
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
    this.#devices = new DeviceDialog(document, client, language, (speaker) =>
      this.#tiles.setSpeaker(speaker),
    );
    this.#recordings = new RecordingList(document, language);
    this.#libraryProblem = find(document, 'library-problem', HTMLElement);
    this.#player = new Player(document, library, language);
    const select = find(document, 'language', HTMLSelectElement);
    select.value = language.code;
    select.addEventListener('change', () => language.choose(select.value));
    this.#warning = find(document, 'unsupported', HTMLElement);
    this.#unsupported = unsupported ?? '';
  }

  /** Shows the page, and keeps it up to date from then on. */
  show() {
    const client = this.#client;
    client.listen('changed', () => this.#render());
    this.#viewer.listen('changed', () => this.#render());
    this.#language.listen('changed', () => this.#render());
    this.#join.listen('done', (problem) => {
      setText(this.#problem, problem);
      this.#requestSizes();
    });
    this.#tiles.listen('arranged', () => this.#requestSizes());
    this.#panel.listen('state', () => this.#renderRecordingBadge());
    this.#levels.listen('measured', (loudness) => this.#tiles.showLevels(loudness));
    this.#recordings.listen('opened', (item) => this.#player.open(item, this.#shown !== null));
    this.#microphone.addEventListener('click', () => this.#toggleDevice('audio'));
    this.#camera.addEventListener('click', () => this.#toggleDevice('video'));
    this.#screen.addEventListener('click', () => void this.#share());
    this.#leave.addEventListener('click', () => void this.#leaveRoom());
    this.#page.hidden = false;
    this.#render();
    this.#join.focus();
  }

  #render() {
    const client = this.#client;
    // A browser that can't record can still join, so warn its user before they join.
    setText(this.#warning, this.#language.translateMessage(this.#unsupported));
    const room = client.state === 'joined' ? client.room : null;
    this.#lobby.hidden = room !== null;
    this.#room.hidden = room === null;
    this.#page.dataset['place'] = room ? 'room' : 'lobby';
    // After the user has left the room, the recording can still be downloaded and discarded.
    const outlives = client.recording?.state === 'stopped';
    const viewing = !room && this.#viewer.recordings !== null;
    this.#recording.hidden = !room && !outlives && !viewing;
    this.#recording.toggleAttribute('data-viewing', viewing);
    this.#recording.toggleAttribute('data-only', viewing && !outlives);
    if (!room && this.#document.activeElement === this.#document.body) this.#join.focus();
    if (room !== this.#shown) this.#showRoom(room);
    this.#microphone.ariaPressed = String(client.microphone);
    this.#camera.ariaPressed = String(client.camera);
    this.#screen.ariaPressed = String(client.screen);
    const contents = room ? [this.#ownTile(room.id), ...[...room.participants.values()].map(tileOf)] : [];
    this.#tiles.update(contents);
    this.#levels.follow(audioTracks(contents));
    this.#requestSizes();
    const { t } = this.#language;
    const many =
      contents.length === 1 ? t('Only you so far') : t('{count} participants', { count: contents.length });
    const recorders = [
      ...new Set((room?.recordings ?? []).filter(isRecording).map(({ participant }) => participant)),
    ];
    setText(
      this.#participants,
      recorders.length ? `${many} · ${t('recorded by {names}', { names: recorders.join(', ') })}` : many,
    );
    this.#panel.render();
    this.#renderRecordings();
  }

  #renderRecordings() {
    const recordings = this.#shown ? this.#shown.recordings : this.#viewer.recordings;
    // Update the player before the list, since closing the player returns the focus to the list.
    this.#player.render(recordings ?? []);
    this.#recordings.render(recordings);
    const viewing = !this.#shown && recordings !== null;
    if (viewing && !this.#viewing) this.#recordings.focus();
    this.#viewing = viewing;
    const { t } = this.#language;
    const notice = 'Lost connection to the server. The list will update when the server is back.';
    setText(this.#libraryProblem, this.#viewer.lost ? t(notice) : '');
    if (recordings) this.#discardIfDeleted(recordings);
  }

  /** Discards our recording if someone has deleted it from the list. @param {LibraryItem[]} recordings */
  #discardIfDeleted(recordings) {
    const { recording } = this.#client;
    const there = recordings.some(({ id }) => id === recording?.id);
    if (!there && recording?.state === 'stopped' && this.#listed === recording.id)
      void this.#panel.run('cleaning', () => this.#client.cleanMediaRecording());
    this.#listed = there ? (recording?.id ?? '') : '';
  }

  /**
   * Switches the microphone or the camera on or off. If the device was unplugged, opens another device.
   *
   * @param {'audio' | 'video'} kind
   */
  #toggleDevice(kind) {
    const client = this.#client;
    const on = kind === 'audio' ? client.microphone : client.camera;
    const track = client.media?.stream.getTracks().find((one) => one.kind === kind);
    if (!on && track?.readyState !== 'live') {
      setText(this.#problem, '');
      client.replaceDevice(kind).catch((/** @type {unknown} */ error) => {
        setText(this.#problem, this.#language.describeError(error));
      });
    } else if (kind === 'audio') client.setMicrophone(!on);
    else client.setCamera(!on);
  }

  /** Shows a room, or the lobby. @param {import("../client/client.js").Client["room"]} room */
  #showRoom(room) {
    this.#shown = room;
    this.#requestedHeight = 0;
    this.#rejoining?.abort();
    setText(this.#problem, '');
    // The room shows its own list of recordings.
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
      const notice = 'Lost connection to the server. Reconnecting. Video and audio continue in the meantime.';
      setText(this.#problem, t(notice));
    });
    on('resumed', () => setText(this.#problem, ''));
    on('closed', () => void this.#rejoin());
    on('recordings', () => this.#render());
    this.#title.focus({ preventScroll: true });
  }

  /** Joins again when the server responds, unless the user leaves. */
  async #rejoin() {
    setText(this.#problem, this.#language.t('Lost connection to the server. You will rejoin automatically.'));
    this.#rejoining = new AbortController();
    await this.#join.rejoin(this.#rejoining.signal);
  }

  /** Subscribes to all participants once our own join is complete, and requests video at the tiles' size. */
  #requestSizes() {
    if (!this.#shown || this.#join.busy) return;
    const size = videoSize(this.#tiles.width, devicePixelRatio);
    if (size.height === this.#requestedHeight) return;
    this.#requestedHeight = size.height;
    this.#client.watch({ '*': size });
  }

  #renderRecordingBadge() {
    const recording = this.#panel.state === 'recording';
    this.#recordingBadge.hidden = !recording;
    setText(this.#recordingTime, this.#panel.elapsed);
    const title = this.#language.t('Recording room');
    this.#document.title = recording ? `\u25cf ${title}` : title;
  }

  /** Shares the screen, or shows the camera again. If the user cancels the browser's dialog, no error is shown. */
  async #share() {
    this.#screen.disabled = true;
    setText(this.#problem, '');
    try {
      await this.#client.shareScreen(!this.#client.screen);
    } catch (error) {
      const refused = error instanceof Error && error.name === 'NotAllowedError';
      if (!refused) setText(this.#problem, this.#language.describeError(error));
    }
    this.#screen.disabled = false;
    this.#screen.focus();
  }

  async #leaveRoom() {
    this.#leave.disabled = true;
    const leave = () => this.#client.leave();
    if (this.#panel.state === 'recording') await this.#panel.run('stopping', leave);
    else await leave();
    this.#leave.disabled = false;
  }

  /** @param {string} id @returns {TileContent} */
  #ownTile(id) {
    const { name, media, microphone, camera } = this.#client;
    return {
      id,
      name,
      self: true,
      audio: microphone,
      video: camera,
      tracks: media?.stream.getVideoTracks() ?? [],
      audioTrack: media?.stream.getAudioTracks()[0] ?? null,
    };
  }
}

/** @param {CallParticipant} member @returns {TileContent} */
const tileOf = ({ id, name, info, videoTrack, audioTrack }) => ({
  id,
  name,
  self: false,
  audio: info.audio,
  video: info.video,
  tracks: [videoTrack, audioTrack].filter((track) => track !== null),
  audioTrack,
});

/** @param {LibraryItem} item */
const isRecording = ({ state }) => state === 'recording';

/** @param {TileContent[]} contents */
function audioTracks(contents) {
  /** @type {Map<string, MediaStreamTrack>} */
  const found = new Map();
  for (const { id, audio, audioTrack } of contents) if (audio && audioTrack) found.set(id, audioTrack);
  return found;
}
