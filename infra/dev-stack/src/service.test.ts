import { expect, it } from 'vitest';
import { whyNot } from './service.ts';

const INFO = '{"level":"info","time":"2026-01-01T00:00:00.000Z","name":"ledger","msg":"starting"}';
const FATAL =
  '{"level":"fatal","time":"2026-01-01T00:00:00.000Z","name":"ledger","msg":"uncaught error"}';
const BUG = `/srv/x.ts:3
  throw new TypeError('x');
        ^

TypeError: x is not a function
    at file:///srv/x.ts:3:9

Node.js v20.20.2`;

it.each([
  [
    'the sentence of a wrong setting',
    `${INFO}\nledger: PORT is "abc": must be a number.\n`,
    'ledger: PORT is "abc": must be a number.',
  ],
  ['the error of a bug', `${INFO}\n${BUG}\n`, 'TypeError: x is not a function'],
  ['the worst entry when there is nothing else', `${INFO}\n${FATAL}\n${INFO}\n`, FATAL],
  ['the last entry when none is bad', `${INFO}\n`, INFO],
  ['that it said nothing', '', 'it said nothing'],
])('a log tells %s', (_name, log, expected) => {
  expect(whyNot(log)).toBe(expected);
});
