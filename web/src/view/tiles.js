/** Tiles: one for each person in the room, kept as long as they are in it. */

import { arrange } from './arrange.js';
import { say } from './page.js';

/**
 * @typedef {object} Person
 * @property {string} id
 * @property {string} name
 * @property {boolean} self
 * @property {boolean} audio whether the microphone is on
 * @property {boolean} video whether the camera is on
 * @property {MediaStreamTrack[]} tracks what to play; one's own sound is left out
 */

/** Somebody's picture, or a card with the initial where there is none. */
class Tile {
  #stream = new MediaStream();
  #video;
  #name;
  #initial;
  #muted;
  /** @type {Person | null} */
  #person = null;

  /** @param {HTMLTemplateElement} template */
  constructor(template) {
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    this.element = /** @type {HTMLLIElement} */ (copy.firstElementChild);
    this.#video = /** @type {HTMLVideoElement} */ (this.element.querySelector('video'));
    this.#name = /** @type {HTMLElement} */ (this.element.querySelector('.name'));
    this.#initial = /** @type {HTMLElement} */ (this.element.querySelector('.initial'));
    this.#muted = /** @type {SVGElement} */ (this.element.querySelector('.icon'));
    for (const type of ['resize', 'loadeddata', 'emptied']) {
      this.#video.addEventListener(type, () => this.#uncover());
    }
  }

  /** @param {Person} person */
  show(person) {
    this.#person = person;
    say(this.#name, person.self ? `${person.name} (you)` : person.name);
    say(this.#initial, (Array.from(person.name)[0] ?? '').toUpperCase());
    this.#video.setAttribute('aria-label', person.name);
    this.#muted.toggleAttribute('hidden', person.audio);
    this.#video.muted = person.self;
    for (const track of this.#stream.getTracks()) {
      if (!person.tracks.includes(track)) this.#stream.removeTrack(track);
    }
    // One stream for good, changed in place: setting srcObject again would blink.
    for (const track of person.tracks) this.#stream.addTrack(track);
    if (!this.#video.srcObject && person.tracks.length > 0) this.#video.srcObject = this.#stream;
    this.#uncover();
  }

  close() {
    this.#video.srcObject = null;
    this.element.remove();
  }

  #uncover() {
    this.element.classList.toggle('has-picture', Boolean(this.#person?.video) && this.#video.videoWidth > 0);
  }
}

/** Emits `arranged` when the tiles have got another width. */
export class Tiles extends EventTarget {
  /** CSS pixels. */
  width = 0;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  #list;
  #template;
  #stage;
  #wide;

  /**
   * @param {HTMLElement} list
   * @param {HTMLTemplateElement} template
   * @param {HTMLElement} stage where the tiles stand
   * @param {MediaQueryList} wide matches where the tiles fill the window's height; elsewhere the page scrolls
   */
  constructor(list, template, stage, wide) {
    super();
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
      const tile = known ?? new Tile(this.#template);
      tile.show(person);
      if (known) continue;
      this.#tiles.set(person.id, tile);
      this.#list.append(tile.element);
    }
    this.#arrange();
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
    this.dispatchEvent(new Event('arranged'));
  }
}
