import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ENDPOINTS,
  inboxPrefix,
  isEndpoint,
  MAX_REQUEST_BYTES,
  parseRequest,
  parseSubject,
  subjectOf,
} from './ledger.ts';
import { bytes, COMMAND, GOOD, HOLD, toAccount } from './testing/good-requests.ts';

/** Hundreds of runs take their time on a busy machine. */
const PROPERTY_TIMEOUT_MS = 60_000;

describe('a request that is wrong', () => {
  it('says the command_id wherever it could be read', () => {
    expect(
      parseRequest(
        'cmd.hold',
        bytes({
          ...toAccount,
          hold_id: HOLD,
          command_id: COMMAND.toUpperCase(),
          amount: 0,
        }),
      ),
    ).toMatchObject({ commandId: COMMAND });
    expect(
      parseRequest('cmd.hold', bytes({ ...toAccount, hold_id: HOLD, amount: 10, command_id: 5 })),
    ).not.toHaveProperty('commandId');
    expect(parseRequest('cmd.hold', bytes('[]'))).not.toHaveProperty('commandId');
  });

  it.each([
    ['{"account_id":"a","account_id":"b"}', 'account_id'],
    ['{"account_id":"a","account\\u005fid":"b"}', 'account_id'],
    ['{"account_id":"a","x":[{"y":{"k":1,"k" : 2}}]}', 'k'],
    ['{"account_id":"a","__proto__":{"admin":true}}', '__proto__'],
    ['{"account_id":"a","\\u005f_proto__":1}', '__proto__'],
    ['{"account_id":"a","constructor":1}', 'constructor'],
    ['{"account_id":"a","toString":1}', 'toString'],
  ])('%s is refused', (text, field) => {
    expect(parseRequest('qry.balance', bytes(text))).toMatchObject({ ok: false, field });
  });

  it('may not have __proto__ at any depth', () => {
    const text = JSON.stringify({ command_id: COMMAND, metadata: { hidden: 'x' } });
    expect(parseRequest('cmd.reload_config', bytes(text))).toMatchObject({ ok: true });
    const hidden = bytes(text.replace('hidden', '__proto__'));
    expect(parseRequest('cmd.reload_config', hidden)).toMatchObject({
      ok: false,
      field: '__proto__',
    });
  });

  it('may have the same key in different objects, and braces and colons in its texts', () => {
    const model = {
      ...GOOD['cmd.register_model'][0],
      extended_config: { a: { a: [{ a: 1 }, { a: 2 }] }, b: '{"a":1,"a":2}' },
    };
    expect(parseRequest('cmd.register_model', bytes(model))).toEqual({ ok: true, value: model });
  });

  it('is refused by its size before it is read', () => {
    const fits = { ...toAccount, hold_id: HOLD, amount: 1 };
    const padded = JSON.stringify(fits).padEnd(MAX_REQUEST_BYTES, ' ');
    expect(parseRequest('cmd.hold', bytes(padded))).toMatchObject({ ok: true });
    expect(parseRequest('cmd.hold', bytes(`${padded} `))).toMatchObject({
      ok: false,
      field: 'body',
      message: 'is larger than 16384 bytes',
    });
  });

  it('is refused when it is not UTF-8 or nested without end', () => {
    const broken = bytes({ command_id: COMMAND, metadata: { note: '~' } }).map((byte) =>
      byte === 0x7e ? 0xff : byte,
    );
    expect(parseRequest('cmd.reload_config', broken)).toMatchObject({
      ok: false,
      field: 'body',
      message: 'is not UTF-8',
    });
    expect(parseRequest('qry.balance', bytes('['.repeat(MAX_REQUEST_BYTES)))).toMatchObject({
      ok: false,
      field: 'body',
    });
    const nested = `{"account_id":${'['.repeat(8_000)}${']'.repeat(8_000)}}`;
    expect(parseRequest('qry.balance', bytes(nested))).toMatchObject({ ok: false });
  });

  it('names strange keys in plain characters', () => {
    const problem = parseRequest(
      'qry.balance',
      bytes(`{"account_id":"a","\\ud800\\u0000\\r\\n${'x'.repeat(100)}":1}`),
    );
    expect(problem).toMatchObject({
      ok: false,
      field: `\uFFFD\uFFFD\uFFFD\uFFFD${'x'.repeat(60)}`,
    });
  });

  it('takes a negative zero as zero', () => {
    const parsed = parseRequest(
      'cmd.confirm',
      bytes(`{"command_id":"${COMMAND}","account_id":"a","hold_id":"${HOLD}","actual_amount":-0}`),
    );
    expect(parsed).toMatchObject({ ok: true, value: { actual_amount: 0 } });
  });
});

describe('whatever arrives', { timeout: PROPERTY_TIMEOUT_MS }, () => {
  const endpoint = fc.constantFrom(...ENDPOINTS);
  const named = (result: ReturnType<typeof parseRequest>): void => {
    if (!result.ok) expect(result.field).toMatch(/^[^\u0000-\u001f\ud800-\udfff]+$/);
    if (!result.ok) expect(result.message).not.toBe('');
  };

  it('bytes never throw, and every refusal names a field', () => {
    fc.assert(
      fc.property(endpoint, fc.uint8Array({ maxLength: 200 }), (name, body) =>
        named(parseRequest(name, body)),
      ),
    );
    fc.assert(
      fc.property(endpoint, fc.json(), (name, body) => named(parseRequest(name, bytes(body)))),
      { numRuns: 500 },
    );
  });

  it('a good request with any fields changed is taken or refused by a field that it has or lacks', () => {
    const change = fc.dictionary(
      fc.oneof(
        fc.constantFrom(...new Set(ENDPOINTS.flatMap((name) => GOOD[name].flatMap(Object.keys)))),
        fc.string({ minLength: 1 }),
      ),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(endpoint, fc.nat(), change, (name, pick, changes) => {
        const bodies = GOOD[name];
        named(parseRequest(name, bytes({ ...bodies[pick % bodies.length], ...changes })));
      }),
      { numRuns: 500 },
    );
  });

  it('what is taken holds only text that can be stored, and is taken again as the same', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc
        .array(
          fc.oneof(
            { weight: 9, arbitrary: fc.constantFrom('a', '字', '😀') },
            fc.constantFrom('\n', '\u0000', '\ud800'),
          ),
          { maxLength: 8 },
        )
        .map((parts) => parts.join('')),
    );
    const change = fc.oneof(
      fc.tuple(fc.constantFrom('source_type', 'biz_id', 'description'), text),
      fc.tuple(fc.constant('metadata'), fc.dictionary(text, text, { maxKeys: 3 })),
      fc.tuple(fc.constantFrom('amount', 'estimated_duration'), fc.oneof(fc.nat(), fc.double())),
    );
    let taken = 0;
    fc.assert(
      fc.property(change, ([field, value]) => {
        const parsed = parseRequest(
          'cmd.hold',
          bytes({ ...toAccount, hold_id: HOLD, model: 'm', [field]: value }),
        );
        if (!parsed.ok) return;
        taken++;
        const texts: string[] = [];
        const written = JSON.stringify(parsed.value, (key, part: unknown) => {
          texts.push(key, typeof part === 'string' ? part : '');
          return part;
        });
        expect(texts.join('')).toMatch(/^[\n -\u{D7FF}\u{E000}-\u{10FFFF}]*$/u);
        expect(parseRequest('cmd.hold', bytes(written))).toEqual(parsed);
      }),
      { numRuns: 500 },
    );
    expect(taken).toBeGreaterThan(50);
  });
});

describe('subjects', () => {
  it.each([
    '',
    'ledger.v1.cmd.a',
    'ledger.v1.cmd.a.hold.b',
    'ledger.v2.cmd.a.hold',
    'other.v1.cmd.a.hold',
    'ledger.v1.evt.a.hold',
    'ledger.v1.cmd.a.balance',
    'ledger.v1.cmd.a.constructor',
    'ledger.v1.cmd.*.hold',
    'ledger.v1.cmd..hold',
  ])('%j is none of ours', (subject) => {
    expect(parseSubject(subject)).toBeNull();
  });

  it('are never made for a client whose name is not one token', () => {
    expect(() => subjectOf('cmd.hold', 'a.b')).toThrow(RangeError);
    expect(() => subjectOf('cmd.hold', '>')).toThrow(RangeError);
  });

  it('end in a verb that the ledger knows', () => {
    expect(ENDPOINTS.every(isEndpoint)).toBe(true);
    expect(isEndpoint('constructor')).toBe(false);
  });

  it('have an inbox of their client', () => {
    expect(inboxPrefix('ai-demo')).toBe('_INBOX.ai-demo');
  });
});
