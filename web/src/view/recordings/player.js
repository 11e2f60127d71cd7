/** Player: plays a published recording, shows its report, and offers download and deletion. */

import { clockTime, fileSize, find, length, setText } from '../page.js';

/** How long the player uses a recording's URL, in ms. The server accepts the URL for slightly longer. */
const VALID_FOR = 3_550_000;
/**
 * How long to wait before a deletion can be confirmed, in ms. A double-click on Delete must not confirm the deletion.
 */
const CONFIRM_AFTER = 600;

/** The symbols for the results of the findings in the report. */
const SIGNS = { passed: '✓', warning: '!', failed: '✗', unverified: '?' };

/** @typedef {import('../../library/library.js').Library} Library */

export class Player {
  /** The displayed recording. @type {LibraryItem | null} */
  #item = null;
  /** Aborts the requests for the displayed recording. */
  #open = new AbortController();
  /** When the URL was issued, and when the user was asked to confirm the deletion, on the page's clock. */
  #addressedAt = 0;
  #askedAt = 0;
  #verifying = false;
  #library;
  #language;
  #dialog;
  #title;
  #video;
  #facts;
  #result;
  #findings;
  #finding;
  #report;
  #problem;
  #calls;
  #question;
  #verify;
  #download;
  #delete;
  #keep;

  /** @param {Document} document @param {Library} library @param {import('../language/language.js').Language} language */
  constructor(document, library, language) {
    this.#library = library;
    this.#language = language;
    this.#dialog = find(document, 'player', HTMLDialogElement);
    this.#title = find(document, 'player-title', HTMLElement);
    this.#video = find(document, 'player-video', HTMLVideoElement);
    this.#facts = find(document, 'player-facts', HTMLElement);
    this.#result = find(document, 'report-result', HTMLElement);
    this.#findings = find(document, 'report-findings', HTMLElement);
    this.#finding = find(document, 'finding', HTMLTemplateElement);
    this.#report = find(document, 'report-link', HTMLAnchorElement);
    this.#problem = find(document, 'player-problem', HTMLElement);
    this.#calls = find(document, 'player-calls', HTMLElement);
    this.#question = find(document, 'player-sure', HTMLElement);
    this.#verify = find(document, 'player-verify', HTMLButtonElement);
    this.#download = find(document, 'player-download', HTMLButtonElement);
    this.#delete = find(document, 'player-delete', HTMLButtonElement);
    this.#keep = find(document, 'player-keep', HTMLButtonElement);
    const really = find(document, 'player-really', HTMLButtonElement);
    find(document, 'player-close', HTMLButtonElement).addEventListener('click', () => this.close());
    this.#dialog.addEventListener('close', () => this.#reset());
    this.#verify.addEventListener('click', () => this.#run((item) => this.#verifyItem(item)));
    this.#download.addEventListener('click', () => this.#run(({ id }) => this.#library.download(id)));
    this.#delete.addEventListener('click', () => this.#showQuestion(true));
    this.#keep.addEventListener('click', () => this.#showQuestion(false));
    really.addEventListener('click', () => {
      if (performance.now() - this.#askedAt > CONFIRM_AFTER) this.#run((item) => this.#deleteItem(item));
    });
    this.#video.addEventListener('error', () => this.#onVideoError());
  }

  /** @param {LibraryItem} item @param {boolean} mayDelete */
  open(item, mayDelete) {
    this.#item = item;
    this.#open = new AbortController();
    const { t } = this.#language;
    const published = item.state === 'published';
    setText(this.#title, item.name);
    const parts = [t('by {name}', { name: item.participant })];
    if (item.duration !== null) parts.push(length(item.duration, t));
    if (item.size !== null) parts.push(fileSize(item.size));
    setText(this.#facts, parts.join(' · '));
    setText(this.#problem, item.reason ? this.#language.translateMessage(item.reason) : '');
    this.#video.hidden = !published;
    this.#video.toggleAttribute('data-audio', item.height === null);
    this.#download.hidden = !published;
    this.#delete.hidden = !mayDelete;
    this.#clearReport();
    this.#verify.hidden = !published;
    this.#showQuestion(false);
    this.#dialog.showModal();
    if (!published) return;
    this.#run(async () => {
      await this.#loadVideo(item, 0);
      if (item.result) await this.#verifyItem(item);
    });
  }

  close() {
    this.#dialog.close();
  }

  /**
   * Updates the player after a change in the list of recordings. Closes the player if the displayed recording was
   * deleted, and shows the report if another participant has requested it.
   *
   * @param {LibraryItem[]} items
   */
  render(items) {
    const shown = this.#item;
    if (!shown) return;
    const item = items.find(({ id }) => id === shown.id);
    if (!item) this.close();
    else if (item.result && !this.#verifying && !this.#result.dataset['result'])
      this.#run(() => this.#verifyItem(shown));
  }

  #reset() {
    this.#item = null;
    this.#open.abort();
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  /** @param {LibraryItem} item @param {number} at seconds */
  async #loadVideo(item, at) {
    const { url } = await this.#library.address(item.id);
    if (this.#item !== item) return;
    this.#addressedAt = performance.now();
    this.#video.src = url;
    if (at > 0) this.#video.currentTime = at;
  }

  /** Replaces an expired URL and continues playback at the same position. */
  #onVideoError() {
    if (!this.#item || !this.#video.getAttribute('src')) return;
    const { currentTime } = this.#video;
    if (performance.now() - this.#addressedAt > VALID_FOR) this.#run((item) => this.#loadVideo(item, currentTime));
    else
      setText(
        this.#problem,
        this.#language.t("This browser can't play the recording. Verify the recording to see what is wrong."),
      );
  }

  #clearReport() {
    setText(this.#result, '');
    this.#result.dataset['result'] = '';
    this.#findings.replaceChildren();
    this.#report.hidden = true;
    this.#verify.ariaDisabled = 'false';
    this.#verify.hidden = false;
  }

  /** Requests the report and shows it. @param {LibraryItem} item */
  async #verifyItem(item) {
    if (this.#verifying) return;
    const { signal } = this.#open;
    this.#verifying = true;
    this.#verify.ariaDisabled = 'true';
    setText(this.#result, this.#language.t('Verifying all video and audio.'));
    try {
      const report = await this.#library.verify(item.id, signal);
      const { report: address } = await this.#library.address(item.id);
      if (!signal.aborted) this.#showReport(report, address);
    } catch (error) {
      if (signal.aborted) return;
      this.#clearReport();
      throw error;
    } finally {
      this.#verifying = false;
    }
  }

  /** @param {ReportSummary} report @param {string | null} address the URL of the full report */
  #showReport({ result, checks, findings }, address) {
    const { t } = this.#language;
    const alike = findings.filter((finding) => finding.result === result);
    const failed = new Set(alike.map(({ check }) => check)).size;
    this.#result.dataset['result'] = result;
    const texts = {
      passed: t('✓ Passed: {count} checks', { count: checks }),
      failed: t('✗ Failed: {failed} of {count} checks', { failed, count: checks }),
      unverified: t('? Unverified: {count} parts could not be examined', { count: alike.length }),
    };
    setText(this.#result, texts[result]);
    this.#findings.replaceChildren(...findings.map((finding) => this.#makeFinding(finding)));
    this.#report.hidden = address === null;
    this.#report.href = address ?? '';
    // The button disappears, so move the keyboard focus to the report.
    const focused = this.#verify.ownerDocument.activeElement === this.#verify;
    this.#verify.hidden = true;
    if (focused) this.#report.focus();
  }

  /** @param {ReportFinding} finding */
  #makeFinding({ result, message, at }) {
    const copy = /** @type {DocumentFragment} */ (this.#finding.content.cloneNode(true));
    const line = /** @type {HTMLLIElement} */ (copy.firstElementChild);
    const jump = /** @type {HTMLButtonElement} */ (line.querySelector('button'));
    line.dataset['result'] = result;
    setText(
      /** @type {HTMLElement} */ (line.querySelector('.finding-words')),
      `${SIGNS[result]} ${message}`,
    );
    jump.hidden = at === null;
    if (at) {
      const [start] = at;
      setText(jump, `▶ ${clockTime(start)}`);
      jump.setAttribute('aria-label', this.#language.t('Play from {time}', { time: clockTime(start) }));
      jump.addEventListener('click', () => {
        this.#video.currentTime = start;
        this.#video.play().catch(() => undefined);
      });
    }
    return line;
  }

  /** @param {boolean} on */
  #showQuestion(on) {
    const before = this.#question.hidden;
    this.#question.hidden = !on;
    this.#calls.hidden = on;
    this.#askedAt = performance.now();
    if (on) this.#keep.focus();
    else if (!before) this.#delete.focus();
  }

  /** @param {LibraryItem} item */
  async #deleteItem(item) {
    await this.#library.remove(item.id);
    if (this.#item === item) this.close();
  }

  /**
   * Runs a function for the displayed recording, and shows the error if the function fails.
   *
   * @param {(item: LibraryItem) => Promise<void>} call
   */
  #run(call) {
    const item = this.#item;
    if (!item) return;
    setText(this.#problem, '');
    call(item).catch((/** @type {unknown} */ error) => {
      if (this.#item === item) setText(this.#problem, this.#language.describeError(error));
    });
  }
}
