import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';

import { Linter } from 'eslint';

const SOURCE = new URL('../../src/', import.meta.url);
/** Objects of the page that can't be replaced, and names that exist only in workers and worklets. */
const NOT_COPIED = [
  'document',
  'location',
  'navigator',
  'self',
  'AudioWorkletProcessor',
  'registerProcessor',
];
/** Modules that run only in our own page. */
const OWN_PAGE =
  /^(view|library|entry\/nertc|main|room\/transport|room\/room|media\/camera|application\/hooks)/;

test('hooks.js copies every function of the browser that the modules of an attached page use', async () => {
  const hooks = await readFile(new URL('application/hooks.js', SOURCE), 'utf8');
  /** @type {Set<string>} */
  const used = new Set();
  for (const path of await readdir(SOURCE, { recursive: true })) {
    if (!path.endsWith('.js') || OWN_PAGE.test(path)) continue;
    const text = await readFile(new URL(path, SOURCE), 'utf8');
    const findings = new Linter().verify(text, [
      { languageOptions: { sourceType: 'module' }, rules: { 'no-undef': 'error' } },
    ]);
    for (const { message } of findings) used.add(/'(\w+)' is not defined/.exec(message)?.[1] ?? message);
  }

  const missing = [...used].filter((name) => !NOT_COPIED.includes(name) && !hooks.includes(`'${name}'`));

  assert.ok(used.has('WebSocket'));
  assert.deepEqual(missing, []);
});
