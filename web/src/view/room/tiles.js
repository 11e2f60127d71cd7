/** Tiles: one for each person in the room, kept as long as they are in it. */

import { Emitter } from '../../shared/events.js';
import { arrange } from './tile-size.js';
import { say } from '../page.js';

/**
 * @typedef {object} Person
 * @property {string} id
 * @property {string} name
 * @property {boolean} self
 * @property {boolean} audio whether the microphone is on
 * @property {boolean} video whether the camera is on
 * @property {MediaStreamTrack[]} tracks what to play; one's own sound is left out
 * @property {MediaStreamTrack | null} sound what their loudness is told by
 */

/** Somebody's picture, or a card with the initial where there is none. */
class Tile {
  #stream = new MediaStream();
  #video;
  #name;
  #initial;
  #muted;
  #level;
  #t;
  /** @type {Person | null} */
  #person = null;

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
      this.#video.addEventListener(type, () => this.#uncover());
    }
  }

  /** @param {Person} person */
  show(person) {
    this.#person = person;
    say(this.#name, person.self ? this.#t('{name} (you)', { name: person.name }) : person.name);
    say(this.#initial, (Array.from(person.name)[0] ?? '').toUpperCase());
    this.#video.setAttribute('aria-label', person.name);
    this.#muted.toggleAttribute('hidden', person.audio);
    this.#muted.setAttribute('aria-label', this.#t('microphone off'));
    this.#level.hidden = !person.audio;
    this.#video.muted = person.self;
    for (const track of this.#stream.getTracks()) {
      if (!person.tracks.includes(track)) this.#stream.removeTrack(track);
    }
    // One stream for good, changed in place: setting srcObject again would blink.
    for (const track of person.tracks) this.#stream.addTrack(track);
    if (!this.#video.srcObject && person.tracks.length > 0) this.#video.srcObject = this.#stream;
    this.#uncover();
  }

  /** @param {number} loudness 0 to 1 */
  hear(loudness) {
    this.#level.style.setProperty('--level', loudness.toFixed(2));
  }

  /** @param {string} speaker the deviceId of a loudspeaker */
  async playAt(speaker) {
    await this.#video.setSinkId(speaker);
  }

  close() {
    this.#video.srcObject = null;
    this.element.remove();
  }

  #uncover() {
    this.element.classList.toggle('has-picture', Boolean(this.#person?.video) && this.#video.videoWidth > 0);
  }
}

/**
 * Emits `arranged` when the tiles have got another width.
 *
 * @extends {Emitter<{arranged: void}>}
 */
export class Tiles extends Emitter {
  /** CSS pixels. */
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
   * @param {HTMLElement} stage where the tiles stand
   * @param {MediaQueryList} wide matches where the tiles fill the window's height; elsewhere the page scrolls
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

  /** @param {Person[]} people */
  update(people) {
    const present = new Set(people.map(({ id }) => id));
    for (const [id, tile] of this.#tiles) {
      if (present.has(id)) continue;
      tile.close();
      this.#tiles.delete(id);
    }
    for (const person of people) {
      const known = this.#tiles.get(person.id);
      const tile = known ?? new Tile(this.#template, this.#t);
      tile.show(person);
      if (known) continue;
      this.#tiles.set(person.id, tile);
      if (this.#speaker) tile.playAt(this.#speaker).catch(() => undefined);
      this.#list.append(tile.element);
    }
    this.#arrange();
  }

  /** @param {Map<string, number>} loudness by id, 0 to 1 */
  hear(loudness) {
    for (const [id, tile] of this.#tiles) tile.hear(loudness.get(id) ?? 0);
  }

  /** Plays everybody at another loudspeaker. @param {string} speaker its deviceId */
  async playAt(speaker) {
    this.#speaker = speaker;
    await Promise.all([...this.#tiles.values()].map((tile) => tile.playAt(speaker)));
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
