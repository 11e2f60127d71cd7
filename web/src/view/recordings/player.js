/** Player: one recording that the server keeps: its film, the verdict on it, and what can be done with it. */

import { clockTime, fileSize, find, length, say } from '../page.js';

/** How long an address of a film is good for, in ms, less a moment. */
const GOOD_FOR = 3_550_000;
/** A double-click on Delete is no answer to the question that it asks, in ms. */
const CONSIDERED = 600;

/** @typedef {import('../../library/library.js').Library} Library */

export class Player {
  /** What is shown. @type {LibraryItem | null} */
  #item = null;
  /** Ends what was asked for it. */
  #open = new AbortController();
  /** When the film's address was given out, and when the question was asked whether to delete it; page times. */
  #addressedAt = 0;
  #askedAt = 0;
  #judging = false;
  #library;
  #language;
  #dialog;
  #title;
  #film;
  #facts;
  #word;
  #findings;
  #finding;
  #report;
  #problem;
  #calls;
  #sure;
  #judge;
  #download;
  #delete;
  #keep;

  /** @param {Document} document @param {Library} library @param {import('../language/language.js').Language} language */
  constructor(document, library, language) {
    this.#library = library;
    this.#language = language;
    this.#dialog = find(document, 'player', HTMLDialogElement);
    this.#title = find(document, 'player-title', HTMLElement);
    this.#film = find(document, 'player-film', HTMLVideoElement);
    this.#facts = find(document, 'player-facts', HTMLElement);
    this.#word = find(document, 'verdict-word', HTMLElement);
    this.#findings = find(document, 'verdict-findings', HTMLElement);
    this.#finding = find(document, 'finding', HTMLTemplateElement);
    this.#report = find(document, 'verdict-report', HTMLAnchorElement);
    this.#problem = find(document, 'player-problem', HTMLElement);
    this.#calls = find(document, 'player-calls', HTMLElement);
    this.#sure = find(document, 'player-sure', HTMLElement);
    this.#judge = find(document, 'player-judge', HTMLButtonElement);
    this.#download = find(document, 'player-download', HTMLButtonElement);
    this.#delete = find(document, 'player-delete', HTMLButtonElement);
    this.#keep = find(document, 'player-keep', HTMLButtonElement);
    const really = find(document, 'player-really', HTMLButtonElement);
    find(document, 'player-close', HTMLButtonElement).addEventListener('click', () => this.close());
    this.#dialog.addEventListener('close', () => this.#rest());
    this.#judge.addEventListener('click', () => this.#try((item) => this.#ask(item)));
    this.#download.addEventListener('click', () => this.#try(({ id }) => this.#library.download(id)));
    this.#delete.addEventListener('click', () => this.#askWhetherSure(true));
    this.#keep.addEventListener('click', () => this.#askWhetherSure(false));
    really.addEventListener('click', () => {
      if (performance.now() - this.#askedAt > CONSIDERED) this.#try((item) => this.#remove(item));
    });
    this.#film.addEventListener('error', () => this.#onBroken());
  }

  /** @param {LibraryItem} item @param {boolean} mayDelete */
  open(item, mayDelete) {
    this.#item = item;
    this.#open = new AbortController();
    const { t } = this.#language;
    const kept = item.state === 'published';
    say(this.#title, item.name);
    const parts = [t('by {name}', { name: item.participant })];
    if (item.duration !== null) parts.push(length(item.duration, t));
    if (item.size !== null) parts.push(fileSize(item.size));
    say(this.#facts, parts.join(' · '));
    say(this.#problem, item.reason ? this.#language.said(item.reason) : '');
    this.#film.hidden = !kept;
    this.#film.toggleAttribute('data-sound', item.height === null);
    this.#download.hidden = !kept;
    this.#delete.hidden = !mayDelete;
    this.#forgetVerdict();
    this.#judge.hidden = !kept;
    this.#askWhetherSure(false);
    this.#dialog.showModal();
    if (!kept) return;
    this.#try(async () => {
      await this.#load(item, 0);
      if (item.result) await this.#ask(item);
    });
  }

  close() {
    this.#dialog.close();
  }

  /** Follows what the others do: closes where what is shown was deleted, shows a verdict that they asked for. @param {LibraryItem[]} items */
  render(items) {
    const shown = this.#item;
    if (!shown) return;
    const item = items.find(({ id }) => id === shown.id);
    if (!item) this.close();
    else if (item.result && !this.#judging && !this.#word.dataset['verdict'])
      this.#try(() => this.#ask(shown));
  }

  #rest() {
    this.#item = null;
    this.#open.abort();
    this.#film.removeAttribute('src');
    this.#film.load();
  }

  /** @param {LibraryItem} item @param {number} at seconds */
  async #load(item, at) {
    const { url } = await this.#library.address(item.id);
    if (this.#item !== item) return;
    this.#addressedAt = performance.now();
    this.#film.src = url;
    if (at > 0) this.#film.currentTime = at;
  }

  /** An address is good for a while: who comes back later gets another, and goes on where they were. */
  #onBroken() {
    if (!this.#item || !this.#film.getAttribute('src')) return;
    const { currentTime } = this.#film;
    if (performance.now() - this.#addressedAt > GOOD_FOR) this.#try((item) => this.#load(item, currentTime));
    else
      say(
        this.#problem,
        this.#language.t("This can't be played here; the verdict says what is wrong with it."),
      );
  }

  #forgetVerdict() {
    say(this.#word, '');
    this.#word.dataset['verdict'] = '';
    this.#findings.replaceChildren();
    this.#report.hidden = true;
    this.#judge.ariaDisabled = 'false';
    this.#judge.hidden = false;
  }

  /** Asks for the verdict, and shows it. @param {LibraryItem} item */
  async #ask(item) {
    if (this.#judging) return;
    const { signal } = this.#open;
    this.#judging = true;
    this.#judge.ariaDisabled = 'true';
    say(this.#word, this.#language.t('Reading every picture and sound of it.'));
    try {
      const report = await this.#library.verify(item.id, signal);
      const { report: address } = await this.#library.address(item.id);
      if (!signal.aborted) this.#show(report, address);
    } catch (error) {
      if (signal.aborted) return;
      this.#forgetVerdict();
      throw error;
    } finally {
      this.#judging = false;
    }
  }

  /** @param {VerdictReport} report @param {string | null} address of the whole report */
  #show({ ok, checks, findings }, address) {
    const { t } = this.#language;
    const failed = new Set(findings.filter((finding) => !finding.ok).map(({ check }) => check)).size;
    this.#word.dataset['verdict'] = ok ? 'passed' : 'failed';
    say(
      this.#word,
      ok
        ? t('✓ Passed: {count} checks', { count: checks })
        : t('✗ Failed: {failed} of {count} checks', { failed, count: checks }),
    );
    this.#findings.replaceChildren(...findings.map((finding) => this.#line(finding)));
    this.#report.hidden = address === null;
    this.#report.href = address ?? '';
    // There is nothing more to ask: whoever asked goes on from the report.
    const asked = this.#judge.ownerDocument.activeElement === this.#judge;
    this.#judge.hidden = true;
    if (asked) this.#report.focus();
  }

  /** @param {VerdictFinding} finding */
  #line({ ok, message, at }) {
    const copy = /** @type {DocumentFragment} */ (this.#finding.content.cloneNode(true));
    const line = /** @type {HTMLLIElement} */ (copy.firstElementChild);
    const jump = /** @type {HTMLButtonElement} */ (line.querySelector('button'));
    line.dataset['ok'] = String(ok);
    say(/** @type {HTMLElement} */ (line.querySelector('.finding-words')), `${ok ? '!' : '✗'} ${message}`);
    jump.hidden = at === null;
    if (at) {
      const [start] = at;
      say(jump, `▶ ${clockTime(start)}`);
      jump.setAttribute('aria-label', this.#language.t('Play from {time}', { time: clockTime(start) }));
      jump.addEventListener('click', () => {
        this.#film.currentTime = start;
        this.#film.play().catch(() => undefined);
      });
    }
    return line;
  }

  /** @param {boolean} on */
  #askWhetherSure(on) {
    const before = this.#sure.hidden;
    this.#sure.hidden = !on;
    this.#calls.hidden = on;
    this.#askedAt = performance.now();
    if (on) this.#keep.focus();
    else if (!before) this.#delete.focus();
  }

  /** @param {LibraryItem} item */
  async #remove(item) {
    await this.#library.remove(item.id);
    if (this.#item === item) this.close();
  }

  /** Does something with what is shown, and says what went wrong. @param {(item: LibraryItem) => Promise<void>} call */
  #try(call) {
    const item = this.#item;
    if (!item) return;
    say(this.#problem, '');
    call(item).catch((/** @type {unknown} */ error) => {
      if (this.#item === item) say(this.#problem, this.#language.error(error));
    });
  }
}
