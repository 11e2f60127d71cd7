import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';

import { CHINESE, CHINESE_PATTERNS } from '../../../src/view/language/chinese.js';

/** Strings that are not translated, since they are the same in every language. */
const UNTRANSLATED = new Set(['English', '中文', '360p', '480p', '720p', 'VP8', 'VP9', 'AV1', '0:00']);
const SOURCE = new URL('../../../src/', import.meta.url);

/** Returns all text and labels in index.html. */
function pageTexts() {
  const html = readFileSync(new URL('../index.html', SOURCE), 'utf8');
  const body = html.slice(html.indexOf('<body>'));
  const texts = [...body.matchAll(/>([^<>]+)</g)].map(([, text = '']) => text.trim().replaceAll(/\s+/g, ' '));
  const labels = [...body.matchAll(/(?:aria-label|placeholder)="([^"]+)"/g)].map(([, label = '']) => label);
  return [...texts, ...labels].filter((text) => text && !UNTRANSLATED.has(text));
}

/** Strings that contain spaces but are not shown to users. */
const NOT_SHOWN = new Set([
  '(min-width: 60rem)',
  'body, button:disabled',
  'verified passed',
  'verified failed',
  'verified unverified',
]);

/** Returns all text in the view: the strings that are passed to `t`, and all strings that look like sentences. */
function viewTexts() {
  const sources = sourcesBelow('view/').map((text) => text.replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, ''));
  const requested = sources.flatMap((source) =>
    [...source.matchAll(/\bt\(\s*(['"])(.+?)\1/g)].map(([, , text = '']) => text),
  );
  const literals = sources
    .flatMap((source) => [...source.matchAll(/'([^'\n]*)'|"([^"\n]*)"|`[^`]*`/g)])
    .map(([, single, double]) => single ?? double ?? '');
  const sentences = literals.filter((text) => /[A-Za-z}] [A-Za-z{]/.test(text));
  return [...requested, ...sentences].filter((text) => text && !NOT_SHOWN.has(text));
}

/**
 * Returns the contents of every source file in a folder and its subfolders, except the translations.
 *
 * @param {string} folder the folder's path relative to web/src
 */
function sourcesBelow(folder) {
  const url = new URL(folder, SOURCE);
  return readdirSync(url, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(js|py)$/.test(name) && !name.endsWith('chinese.js'))
    .map((name) => readFileSync(new URL(name, url), 'utf8'));
}

/** @param {string} text */
const placeholders = (text) => [...text.matchAll(/\{\w+\}/g)].map(([placeholder]) => placeholder).toSorted();

describe('Chinese', () => {
  test('has a translation for every text in index.html', () => {
    assert.ok(pageTexts().length > 60);

    assert.deepEqual(
      [],
      pageTexts().filter((text) => !(text in CHINESE)),
    );
  });

  test('has a translation for every text in the view', () => {
    assert.ok(viewTexts().length > 20);

    assert.deepEqual(
      [],
      viewTexts().filter((text) => !(text in CHINESE)),
    );
  });

  test('has the same placeholders as the English text', () => {
    for (const [english, chinese] of Object.entries(CHINESE))
      assert.deepEqual(placeholders(english), placeholders(chinese), english);
  });

  test('has no translation of a text that does not exist', () => {
    const everything = [...sourcesBelow(''), ...sourcesBelow('../../harness/server/'), ...pageTexts()].join(
      '\n',
    );

    assert.deepEqual(
      [],
      Object.keys(CHINESE).filter((english) => !everything.includes(english)),
    );
  });

  test('has no pattern for a message that does not exist', () => {
    const everything = [...sourcesBelow(''), ...sourcesBelow('../../harness/')].join('\n');
    const beginnings = CHINESE_PATTERNS.map(([pattern]) =>
      pattern.source
        .replace(/^\^(\(\.\+\) )?/, '')
        .split(/ ?(?:\(|\.\+|\$)/)[0]
        ?.replaceAll('\\', ''),
    );

    assert.deepEqual(
      [],
      beginnings.filter((beginning) => !everything.includes(String(beginning))),
    );
  });

  test('translates client and server messages that contain names and numbers', () => {
    const translated = [
      'No audio is arriving from Bob.',
      'Only 12 MB of disk space is left. The recording will end before the disk is full.',
    ].map((english) => {
      const [pattern, text] = CHINESE_PATTERNS.find(([one]) => one.test(english)) ?? [/^$/, ''];
      return english.replace(pattern, text);
    });

    assert.deepEqual(['没有收到 Bob 的音频。', '磁盘空间仅剩 12 MB。录制将在磁盘写满之前结束。'], translated);
  });
});
