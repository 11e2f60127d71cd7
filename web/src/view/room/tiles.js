/** Tiles: shows one tile for each participant in the room. */

import { Emitter } from '../../shared/events.js';
import { arrange } from './tile-size.js';
import { setText } from '../page.js';

/**
 * @typedef {object} TileContent
 * @property {string} id
 * @property {string} name
 * @property {boolean} self
 * @property {boolean} audio whether the microphone is on
 * @property {boolean} video whether the camera is on
 * @property {MediaStreamTrack[]} tracks the tracks to play; our own audio is not included
 * @property {MediaStreamTrack | null} audioTrack the track whose loudness is shown
 */

/** Shows a participant's video, or the participant's initial while there is no video. */
class Tile {
  #stream = new MediaStream();
  #video;
  #name;
  #initial;
  #muted;
  #level;
  #t;
  /** @type {TileContent | null} */
  #content = null;

  /** @param {HTMLTemplateElement} template @param {import('../language/language.js').Translate} t */
  constructor(template, t) {
    this.#t = t;
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    this.element = /** @type {HTMLLIElement} */ (copy.firstElementChild);
    this.#video = /** @type {HTMLVideoElement} */ (this.element.querySelector('video'));
    this.#name = /** @type {HTMLElement} */ (this.element.querySelector('.name'));
    this.#initial = /** @type {HTMLElement} */ (this.element.querySelector('.initial'));
    this.#muted = /** @type {SVGElement} */ (this.element.querySelector('.icon'));
    this.#level = /** @type {HTMLElement} */ (this.element.querySelector('.level'));
    for (const type of ['resize', 'loadeddata', 'emptied']) {
      this.#video.addEventListener(type, () => this.#showVideo());
    }
  }

  /** @param {TileContent} content */
  show(content) {
    this.#content = content;
    setText(this.#name, content.self ? this.#t('{name} (you)', { name: content.name }) : content.name);
    setText(this.#initial, (Array.from(content.name)[0] ?? '').toUpperCase());
    this.#video.setAttribute('aria-label', content.name);
    this.#muted.toggleAttribute('hidden', content.audio);
    this.#muted.setAttribute('aria-label', this.#t('microphone off'));
    this.#level.hidden = !content.audio;
    this.#video.muted = content.self;
    for (const track of this.#stream.getTracks()) {
      if (!content.tracks.includes(track)) this.#stream.removeTrack(track);
    }
    // Change the tracks of the existing stream, since setting srcObject again would cause flicker.
    for (const track of content.tracks) this.#stream.addTrack(track);
    if (!this.#video.srcObject && content.tracks.length > 0) this.#video.srcObject = this.#stream;
    this.#showVideo();
  }

  /** @param {number} loudness 0 to 1 */
  showLevel(loudness) {
    this.#level.style.setProperty('--level', loudness.toFixed(2));
  }

  /** @param {string} speaker the deviceId of the speaker output */
  async setSpeaker(speaker) {
    await this.#video.setSinkId(speaker);
  }

  close() {
    this.#video.srcObject = null;
    this.element.remove();
  }

  #showVideo() {
    this.element.classList.toggle('has-video', Boolean(this.#content?.video) && this.#video.videoWidth > 0);
  }
}

/**
 * Arranges the tiles. Emits `arranged` when the tiles' width has changed.
 *
 * @extends {Emitter<{arranged: void}>}
 */
export class Tiles extends Emitter {
  /** The width of each tile, in CSS pixels. */
  width = 0;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  #list;
  #template;
  #stage;
  #wide;
  #t;
  #speaker = '';

  /**
   * @param {HTMLElement} list
   * @param {HTMLTemplateElement} template
   * @param {HTMLElement} stage the area in which the tiles are arranged
   * @param {MediaQueryList} wide a media query that matches if the tiles fill the window's height; otherwise, the page
   *   scrolls
   * @param {import('../language/language.js').Translate} t
   */
  constructor(list, template, stage, wide, t) {
    super();
    this.#t = t;
    this.#list = list;
    this.#template = template;
    this.#stage = stage;
    this.#wide = wide;
    new ResizeObserver(() => this.#arrange()).observe(stage);
  }

  /** @param {TileContent[]} contents */
  update(contents) {
    const present = new Set(contents.map(({ id }) => id));
    for (const [id, tile] of this.#tiles) {
      if (present.has(id)) continue;
      tile.close();
      this.#tiles.delete(id);
    }
    for (const content of contents) {
      const known = this.#tiles.get(content.id);
      const tile = known ?? new Tile(this.#template, this.#t);
      tile.show(content);
      if (known) continue;
      this.#tiles.set(content.id, tile);
      if (this.#speaker) tile.setSpeaker(this.#speaker).catch(() => undefined);
      this.#list.append(tile.element);
    }
    this.#arrange();
  }

  /** @param {Map<string, number>} loudness by id, 0 to 1 */
  showLevels(loudness) {
    for (const [id, tile] of this.#tiles) tile.showLevel(loudness.get(id) ?? 0);
  }

  /** Plays all participants' audio on another speaker output. @param {string} speaker its deviceId */
  async setSpeaker(speaker) {
    this.#speaker = speaker;
    await Promise.all([...this.#tiles.values()].map((tile) => tile.setSpeaker(speaker)));
  }

  #arrange() {
    const { clientWidth, clientHeight } = this.#stage;
    if (clientWidth === 0 || this.#tiles.size === 0) return;
    const { columns, width } = arrange(
      this.#tiles.size,
      clientWidth,
      this.#wide.matches ? clientHeight : null,
    );
    this.#list.style.setProperty('--columns', String(columns));
    if (width === this.width) return;
    this.width = width;
    this.#list.style.setProperty('--tile', `${width}px`);
    this.emit('arranged');
  }
}
