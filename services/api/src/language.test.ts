import { expect, test } from 'vitest';
import { preferredLanguage } from './language.ts';

test.each([
  [undefined, 'zh'],
  ['', 'zh'],
  ['en', 'en'],
  ['en-US,en;q=0.9,zh-CN;q=0.8', 'en'],
  ['EN-gb', 'en'],
  ['zh-CN,zh;q=0.9,en;q=0.8', 'zh'],
  ['fr, en;q=0.5', 'en'],
  ['fr', 'zh'],
  ['*', 'zh'],
  ['en;q=0.1, zh;q=0.2', 'zh'],
  ['en;q=0', 'zh'],
  ['en; q=0.9 , *;q=0.1', 'en'],
  ['en;q=nonsense', 'zh'],
  ['english', 'zh'],
  [',;,', 'zh'],
])('%s is answered in %s', (header, expected) => {
  expect(preferredLanguage(header)).toBe(expected);
});
