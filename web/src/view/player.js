/** Player: one recording that the server keeps: its film, the verdict on it, and what can be done with it. */

import { clockTime, fileSize, find, length, say } from './page.js';

/** @typedef {import('../library.js').Library} Library */

export class Player {
  /** What is shown. @type {LibraryItem | null} */
  #item = null;
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
  #delete;
  #keep;

  /** @param {Document} document @param {Library} library @param {import('./language.js').Language} language */
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
    this.#delete = find(document, 'player-delete', HTMLButtonElement);
    this.#keep = find(document, 'player-keep', HTMLButtonElement);
    const download = find(document, 'player-download', HTMLButtonElement);
    const really = find(document, 'player-really', HTMLButtonElement);
    find(document, 'player-close', HTMLButtonElement).addEventListener('click', () => this.close());
    this.#dialog.addEventListener('close', () => this.#rest());
    this.#judge.addEventListener('click', () => this.#try((item) => this.#ask(item)));
    download.addEventListener('click', () => this.#try(({ id }) => this.#library.download(id)));
    this.#delete.addEventListener('click', () => this.#askWhetherSure(true));
    this.#keep.addEventListener('click', () => this.#askWhetherSure(false));
    really.addEventListener('click', () => this.#try((item) => this.#remove(item)));
    // An address is good for an hour; who comes back later gets another, and goes on where they were.
    this.#film.addEventListener('error', () => {
      if (this.#item && this.#film.currentTime > 0)
        this.#try((item) => this.#load(item, this.#film.currentTime));
    });
  }

  /** @param {LibraryItem} item */
  open(item) {
    this.#item = item;
    const { t } = this.#language;
    say(this.#title, item.name);
    const parts = [t('by {name}', { name: item.participant })];
    if (item.duration !== null) parts.push(length(item.duration, t));
    if (item.size !== null) parts.push(fileSize(item.size));
    say(this.#facts, parts.join(' · '));
    say(this.#problem, '');
    this.#forgetVerdict();
    this.#askWhetherSure(false);
    this.#dialog.showModal();
    this.#try(async () => {
      await this.#load(item, 0);
      if (item.verdict) await this.#ask(item);
    });
  }

  close() {
    this.#dialog.close();
  }

  /** Closes where what is shown has been deleted. @param {LibraryItem[]} items */
  render(items) {
    if (this.#item && !items.some(({ id }) => id === this.#item?.id)) this.close();
  }

  #rest() {
    this.#item = null;
    this.#film.removeAttribute('src');
    this.#film.load();
  }

  /** @param {LibraryItem} item @param {number} at seconds */
  async #load(item, at) {
    const { url } = await this.#library.address(item.id);
    if (this.#item !== item) return;
    this.#film.src = url;
    if (at > 0) this.#film.currentTime = at;
  }

  #forgetVerdict() {
    say(this.#word, '');
    this.#word.dataset['verdict'] = '';
    this.#findings.replaceChildren();
    this.#report.hidden = true;
    this.#judge.disabled = false;
    this.#judge.hidden = false;
  }

  /** Asks for the verdict, and shows it. @param {LibraryItem} item */
  async #ask(item) {
    const { t } = this.#language;
    this.#judge.disabled = true;
    say(this.#word, t('Reading every picture and sound of it.'));
    try {
      const report = await this.#library.verdict(item.id);
      const { report: address } = await this.#library.address(item.id);
      if (this.#item === item) this.#show(report, address);
    } catch (error) {
      if (this.#item === item) this.#forgetVerdict();
      throw error;
    }
  }

  /** @param {VerdictReport} report @param {string | null} address of the whole report */
  #show({ ok, findings, passed }, address) {
    const { t } = this.#language;
    this.#word.dataset['verdict'] = ok ? 'passed' : 'failed';
    say(
      this.#word,
      ok
        ? t('✓ Passed: {count} checks', { count: passed })
        : t('✗ Failed: {failed} of {count} checks', {
            failed: findings.filter((finding) => !finding.ok).length,
            count: passed + findings.length,
          }),
    );
    this.#findings.replaceChildren(...findings.map((finding) => this.#line(finding)));
    this.#report.hidden = address === null;
    this.#report.href = address ?? '';
    // There is nothing more to ask: the keyboard goes on from the report.
    if (this.#judge.ownerDocument.activeElement === this.#judge || this.#judge.disabled) this.#report.focus();
    this.#judge.hidden = true;
  }

  /** @param {VerdictFinding} finding */
  #line({ ok, message, at }) {
    const copy = /** @type {DocumentFragment} */ (this.#finding.content.cloneNode(true));
    const line = /** @type {HTMLLIElement} */ (copy.firstElementChild);
    const jump = /** @type {HTMLButtonElement} */ (line.querySelector('button'));
    line.dataset['ok'] = String(ok);
    say(/** @type {HTMLElement} */ (line.querySelector('.finding-words')), message);
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
    if (on) this.#keep.focus();
    else if (!before) this.#delete.focus();
  }

  /** @param {LibraryItem} item */
  async #remove(item) {
    await this.#library.remove(item.id);
    this.close();
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
