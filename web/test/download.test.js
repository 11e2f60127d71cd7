import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { download } from '../src/recorder/download.js';
import { replaceGlobal } from './fakes.js';

describe('downloads', () => {
  test('keep apart, so that the browser takes every one (Chrome fact 20)', async (context) => {
    /** @type {number[]} */
    const clicks = [];
    const link = { click: () => clicks.push(performance.now()), remove: () => undefined };
    replaceGlobal(context, 'document', { createElement: () => link, body: { append: () => undefined } });

    await Promise.all([1, 2, 3].map((number) => download({ url: `/${number}`, name: 'a.webm' })));

    const [first = 0, second = 0, third = 0] = clicks;
    // 120 ms, which Node counts from when its loop woke up, and not from when it was asked.
    assert.ok(second - first > 100, `${second - first} ms`);
    assert.ok(third - second > 100, `${third - second} ms`);
  });
});
