import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deadLetterSubject,
  DURABLE_VERBS,
  eventSubject,
  parseDeadLetterSubject,
  parseEventSubject,
  parseQueuedSubject,
  parseResultSubject,
  queuedSubject,
  resultPattern,
  resultSubject,
  subjectsOf,
} from './ledger-subjects.ts';

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

describe('subjects of stored messages', () => {
  it('stand as the contract has them', () => {
    expect(queuedSubject('ai-demo', 'confirm')).toBe('ledger.v1.q.ai-demo.confirm');
    expect(resultSubject('ai-demo', 'c-1')).toBe('ledger.v1.res.ai-demo.c-1');
    expect(resultPattern('ai-demo')).toBe('ledger.v1.res.ai-demo.*');
    expect(eventSubject('HoldConfirmed', 'u1')).toBe('ledger.v1.evt.HoldConfirmed.u1');
    expect(deadLetterSubject('ledger.v1.q.ai-demo.confirm')).toBe('ledger.v1.dlq.ai-demo.confirm');
    expect(subjectsOf('q')).toBe('ledger.v1.q.*.*');
  });

  it('come back as what they were made of', () => {
    fc.assert(
      fc.property(token, token, fc.constantFrom(...DURABLE_VERBS), (first, second, verb) => {
        expect(parseQueuedSubject(queuedSubject(first, verb))).toEqual({ client: first, verb });
        expect(parseResultSubject(resultSubject(first, second))).toEqual({
          client: first,
          commandId: second,
        });
        expect(parseEventSubject(eventSubject(first, second))).toEqual({
          type: first,
          accountId: second,
        });
        expect(parseDeadLetterSubject(deadLetterSubject(`ledger.v1.q.${first}.${second}`))).toEqual(
          { client: first, verb: second },
        );
      }),
    );
  });

  it.each(['', 'a b', 'a.b', 'a>', '*', '>', 'ä', 'x'.repeat(65), 'a\n'])(
    'are never made of %j',
    (text) => {
      expect(() => queuedSubject(text, 'confirm')).toThrow(RangeError);
      expect(() => resultSubject('a', text)).toThrow(RangeError);
      expect(() => resultPattern(text)).toThrow(RangeError);
      expect(() => eventSubject(text, 'a')).toThrow(RangeError);
      expect(parseResultSubject(`ledger.v1.res.a.${text}`)).toBeNull();
      expect(parseEventSubject(`ledger.v1.evt.${text}.a`)).toBeNull();
    },
  );

  it.each([
    'ledger.v1.q.ai-demo.hold',
    'ledger.v1.q.ai-demo.consume',
    'ledger.v1.q.ai-demo.toString',
    'ledger.v1.q.ai-demo',
    'ledger.v1.q.ai-demo.confirm.x',
    'ledger.v2.q.ai-demo.confirm',
    'ledger.v1.cmd.ai-demo.confirm',
    'x.v1.q.ai-demo.confirm',
  ])('%s is no stored command', (text) => {
    expect(parseQueuedSubject(text)).toBeNull();
  });

  it.each([
    ['ledger.v1.q.ä.confirm', 'ledger.v1.dlq.unknown.confirm'],
    ['ledger.v1.q.ai-demo.ho$ld', 'ledger.v1.dlq.ai-demo.unknown'],
    ['nonsense', 'ledger.v1.dlq.unknown.unknown'],
  ])('a message on %s has a place among the dead letters: %s', (queued, expected) => {
    expect(deadLetterSubject(queued)).toBe(expected);
  });
});
