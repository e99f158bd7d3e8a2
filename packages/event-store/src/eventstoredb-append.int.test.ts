import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NotAppendedError, OutcomeUnknownError } from './event-log.ts';
import {
  appendUntilSettled,
  failureOf,
  NEVER_MS,
  newEvents,
  readStream,
  startAdapter,
} from './testing/eventstoredb-adapter.ts';
import type { AdapterUnderTest } from './testing/eventstoredb-adapter.ts';

/** Each test makes one failure happen that the batch-append path can meet. */
describe('append on EventStoreDB, when', () => {
  let adapter: AdapterUnderTest;
  let stream: string;

  const append = (events = newEvents()) => adapter.log.append(stream, events, 'no_stream');
  const isNotAppended = (retryable: boolean) =>
    expect.objectContaining({ name: 'NotAppendedError', retryable });
  const isUnknown = expect.objectContaining({ name: 'OutcomeUnknownError' });

  async function start(...options: Parameters<typeof startAdapter>): Promise<void> {
    await adapter.stop();
    adapter = await startAdapter(...options);
  }

  beforeEach(async () => {
    adapter = await startAdapter();
    stream = `account-${randomUUID()}`;
  });
  afterEach(() => adapter.stop());

  describe('the server refuses it', () => {
    it.each([
      ['not_ready', true],
      ['busy', true],
      ['access_denied', false],
      ['bad_request', false],
    ] as const)('%s: not appended, retryable %s', async (as, retryable) => {
      adapter.server.faults.append({ kind: 'refused', as });
      await expect(append()).rejects.toEqual(isNotAppended(retryable));
      expect(await readStream(adapter.log, stream)).toEqual([]);
      expect(await append()).toMatchObject({ outcome: 'appended' });
    });

    it.each([true, false])('timeout, written %s: unknown', async (written) => {
      adapter.server.faults.append({ kind: 'refused', as: 'timeout', written });
      const events = newEvents(2);
      await expect(append(events)).rejects.toEqual(isUnknown);
      expect(await append(events)).toMatchObject({ outcome: 'appended', revision: 1 });
      expect(await readStream(adapter.log, stream)).toHaveLength(2);
    });
  });

  describe('the whole batch stream fails', () => {
    it.each([
      ['CANCELLED', 1],
      ['DEADLINE_EXCEEDED', 4],
      ['PERMISSION_DENIED without a reason', 7],
      ['RESOURCE_EXHAUSTED', 8],
      ['ABORTED', 10],
      ['INTERNAL', 13],
      ['UNAVAILABLE', 14],
      ['DATA_LOSS', 15],
    ])(
      '%s: unknown, for those beside it too; the next append finds its way',
      async (_name, code) => {
        await start({ appendTimeoutMs: NEVER_MS });
        const silent = adapter.server.faults.append({ kind: 'never_answered' });
        const beside = failureOf(adapter.log.append(`${stream}-beside`, newEvents(), 'no_stream'));
        await silent.whenHit();
        adapter.server.faults.append({ kind: 'call_failed', code, written: true });
        const events = newEvents();
        await expect(append(events)).rejects.toEqual(isUnknown);
        expect(await beside).toEqual(isUnknown);
        expect(await append(events)).toMatchObject({ outcome: 'appended', revision: 0 });
      },
    );

    it('UNAUTHENTICATED: not appended, since such a call is refused before it begins', async () => {
      adapter.server.faults.append({ kind: 'call_failed', code: 16, written: false });
      await expect(append()).rejects.toEqual(isNotAppended(false));
    });

    it("not leader: unknown, since one append's answer ends the stream for all", async () => {
      const { port } = adapter.server;
      adapter.server.faults.append({ kind: 'not_leader', host: '127.0.0.1', port });
      const events = newEvents();
      await expect(append(events)).rejects.toEqual(isUnknown);
      expect(await append(events)).toMatchObject({ outcome: 'appended' });
    });

    it.each([true, false])(
      'ended with OK and no answer, written %s: unknown at once',
      async (written) => {
        await start({ appendTimeoutMs: NEVER_MS });
        adapter.server.faults.append({ kind: 'call_ended', written });
        const events = newEvents();
        await expect(append(events)).rejects.toEqual(isUnknown);
        expect(await append(events)).toMatchObject({ outcome: 'appended', revision: 0 });
      },
    );
  });

  describe('the server is silent', () => {
    it.each([
      ['never handled', { kind: 'never_answered' }],
      ['written', { kind: 'ack_lost', then: 'silence' }],
    ] as const)('unknown once the time is up: %s', async (_name, fault) => {
      await start({ appendTimeoutMs: 200 });
      adapter.server.faults.append(fault);
      const events = newEvents();
      await expect(append(events)).rejects.toThrow('no answer within 200 ms');
      const resent = await appendUntilSettled(adapter.log, stream, events, 'no_stream');
      expect(resent).toMatchObject({ outcome: 'appended', revision: 0 });
      expect(await readStream(adapter.log, stream)).toHaveLength(1);
    });

    it('an answer that comes too late is dropped', async () => {
      await start({ appendTimeoutMs: 200 });
      const late = adapter.server.faults.append({ kind: 'late', afterMs: null });
      const events = newEvents();
      await expect(append(events)).rejects.toEqual(isUnknown);
      late.release();
      // The late answer goes first on the same stream, so it has been heard when this one is.
      const resent = await appendUntilSettled(adapter.log, stream, events, 'no_stream');
      expect(resent).toMatchObject({ outcome: 'appended', revision: 0 });
      expect(adapter.warnings).toEqual([]);
    });

    it('the connection is replaced after several in a row', async () => {
      await start({ appendTimeoutMs: 500, unansweredBeforeRebuild: 2 });
      await adapter.log.append(`${stream}-warm`, newEvents(), 'no_stream');
      adapter.proxy.freeze();
      const both = await Promise.allSettled([
        append(),
        adapter.log.append(`${stream}-2`, newEvents(), 'no_stream'),
      ]);
      expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(adapter.warnings).toEqual([
        expect.stringContaining('2 appends in a row without an answer'),
      ]);
      // Only a new connection answers: the old one is still frozen.
      const after = await appendUntilSettled(adapter.log, stream, newEvents(), 'no_stream');
      expect(after).toMatchObject({ outcome: 'appended' });
    });

    it('one that is answered in between keeps the connection', async () => {
      await start({ appendTimeoutMs: 500, unansweredBeforeRebuild: 2 });
      for (let round = 0; round < 2; round += 1) {
        adapter.server.faults.append({ kind: 'never_answered' });
        await expect(append()).rejects.toEqual(isUnknown);
        await adapter.log.append(`${stream}-${round}`, newEvents(), 'no_stream');
      }
      expect(adapter.warnings).toEqual([]);
    });
  });

  describe('the connection is cut', () => {
    it('with one in flight that was written: unknown, and an identical resend is answered', async () => {
      adapter.server.faults.append({ kind: 'ack_lost', then: 'cut' });
      const events = newEvents(3);
      await expect(append(events)).rejects.toEqual(isUnknown);
      expect(await appendUntilSettled(adapter.log, stream, events, 'no_stream')).toMatchObject({
        revision: 2,
      });
      expect(await readStream(adapter.log, stream)).toHaveLength(3);
    });

    it('with very many in flight: each is settled, and resent each is there exactly once', async () => {
      const all = Array.from({ length: 600 }, (_value, index) => ({
        name: `${stream}-${index}`,
        events: newEvents(),
      }));
      const settled = all.map(({ name, events }) => adapter.log.append(name, events, 'no_stream'));
      const outcomes = Promise.allSettled(settled);
      await settled[50];
      adapter.server.faults.cutConnections();
      for (const outcome of await outcomes) {
        if (outcome.status === 'fulfilled') expect(outcome.value.outcome).toBe('appended');
        else expect([NotAppendedError, OutcomeUnknownError]).toContain(outcome.reason.constructor);
      }
      const resent = all.map(({ name, events }) =>
        appendUntilSettled(adapter.log, name, events, 'no_stream'),
      );
      expect(new Set((await Promise.all(resent)).map(({ outcome }) => outcome))).toEqual(
        new Set(['appended']),
      );
      const page = await adapter.log.readAll({
        afterPosition: null,
        streamPrefixes: [stream],
        maxCount: 9_999,
      });
      expect(page.events.map(({ stream: name }) => name).sort()).toEqual(
        all.map(({ name }) => name).sort(),
      );
    });

    it('while the server is frozen and many wait to be written: every promise is handled', async () => {
      // The client's own append path ends the process here, with a rejection that nobody can handle.
      await adapter.log.append(`${stream}-warm`, newEvents(), 'no_stream');
      adapter.proxy.freeze();
      const big = newEvents(20).map((event) => ({ ...event, data: { text: 'x'.repeat(1_000) } }));
      const outcomes = Array.from({ length: 300 }, (_value, index) =>
        failureOf(adapter.log.append(`${stream}-${index}`, big, 'no_stream')),
      );
      // Until the transport is full: nothing tells, but several turns without room are enough.
      for (let turn = 0; turn < 100; turn += 1)
        await new Promise((resolve) => setImmediate(resolve));
      adapter.proxy.cut();
      const names = (await Promise.all(outcomes)).map((error) =>
        error instanceof Error ? error.name : 'appended',
      );
      // Those that were not handed over yet go out on the next connection.
      expect(names).toContain('OutcomeUnknownError');
      expect(names).toContain('appended');
      expect(await append()).toMatchObject({ outcome: 'appended' });
    });

    it('without a word (no FIN, no RST): keepalive notices, unknown for what is in flight', async () => {
      // The client warns about an interval this short on the console.
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
      await start({ appendTimeoutMs: NEVER_MS }, '&keepAliveInterval=200&keepAliveTimeout=200');
      await append();
      adapter.proxy.freeze();
      const events = newEvents();
      await expect(adapter.log.append(stream, events, 0)).rejects.toEqual(isUnknown);
      expect(await appendUntilSettled(adapter.log, stream, events, 0)).toMatchObject({
        revision: 1,
      });
      warn.mockRestore();
    });
  });

  describe('there is no connection', () => {
    it('server down: not appended, retryable; when it is back, service resumes by itself', async () => {
      await append();
      await adapter.server.stop();
      const events = newEvents();
      // The broken stream may be noticed only now: then this one is unknown.
      await adapter.log.append(stream, events, 0).catch(() => undefined);
      for (let round = 0; round < 3; round += 1) {
        await expect(adapter.log.append(stream, events, 0)).rejects.toEqual(isNotAppended(true));
      }
      await adapter.server.start();
      expect(await adapter.log.append(stream, events, 0)).toMatchObject({
        outcome: 'appended',
        revision: 1,
      });
    });

    it('server restarted between appends: service resumes by itself', async () => {
      await append();
      for (let revision = 0; revision < 3; revision += 1) {
        await adapter.server.restart();
        const result = await appendUntilSettled(adapter.log, stream, newEvents(), revision);
        expect(result).toMatchObject({ outcome: 'appended', revision: revision + 1 });
      }
    });

    it('GetSupportedMethods fails: not appended, retryable, and asked again next time', async () => {
      adapter.server.faults.features('internal');
      await expect(append()).rejects.toEqual(isNotAppended(true));
      expect(await append()).toMatchObject({ outcome: 'appended' });
    });

    it('GetSupportedMethods is never answered: not appended, retryable, and asked again next time', async () => {
      await start({ appendTimeoutMs: NEVER_MS, openTimeoutMs: 200 });
      adapter.server.faults.features('never_answered');
      await expect(append()).rejects.toEqual(isNotAppended(true));
      expect(await append()).toMatchObject({ outcome: 'appended' });
    });

    it('connecting takes longer than an append may: not appended, retryable', async () => {
      await start({ appendTimeoutMs: 200, openTimeoutMs: NEVER_MS });
      const features = adapter.server.faults.features('never_answered');
      await expect(append()).rejects.toThrow('not sent within 200 ms');
      features.release();
    });
  });

  describe('there are too many', () => {
    it('those beyond the bound wait, and those beyond that are refused', async () => {
      await start({ appendTimeoutMs: NEVER_MS, appendsInFlightMax: 2, appendsWaitingMax: 3 });
      await adapter.log.append(`${stream}-warm`, newEvents(), 'no_stream');
      const late = adapter.server.faults.append({ kind: 'late', afterMs: null }, { times: 3 });
      const settled = Array.from({ length: 6 }, (_value, index) =>
        adapter.log.append(`${stream}-${index}`, newEvents(), 'no_stream'),
      );
      const outcomes = Promise.allSettled(settled);
      await late.whenHit(2);
      await expect(settled[5]).rejects.toThrow('3 appends are waiting already');
      // A round trip to the server: a third one, had it been sent, would have hit by then.
      await adapter.log.readLast(`${stream}-warm`);
      expect(late.hits).toBe(2);
      late.release();
      expect((await outcomes).map(({ status }) => status)).toEqual([
        ...Array.from({ length: 5 }, () => 'fulfilled'),
        'rejected',
      ]);
    });

    it('those that wait are sent in order as places become free', async () => {
      await start({ appendsInFlightMax: 1 });
      const names = Array.from({ length: 100 }, (_value, index) => `${stream}-${index}`);
      await Promise.all(names.map((name) => adapter.log.append(name, newEvents(), 'no_stream')));
      const page = await adapter.log.readAll({
        afterPosition: null,
        streamPrefixes: [stream],
        maxCount: 999,
      });
      expect(page.events.map((event) => event.stream)).toEqual(names);
    });
  });

  describe('the log is closed', () => {
    it('what is in flight becomes unknown, what comes later is refused', async () => {
      await start({ appendTimeoutMs: NEVER_MS });
      const silent = adapter.server.faults.append({ kind: 'never_answered' });
      const inFlight = failureOf(append());
      await silent.whenHit();
      await adapter.log.close();
      expect(await inFlight).toEqual(isUnknown);
      await expect(append()).rejects.toEqual(isNotAppended(false));
    });

    it('while it connects: what waits is refused', async () => {
      await start({ appendTimeoutMs: NEVER_MS, openTimeoutMs: 300 });
      const features = adapter.server.faults.features('never_answered');
      const waiting = failureOf(append());
      await features.whenHit();
      await adapter.log.close();
      expect(await waiting).toEqual(isNotAppended(false));
    });
  });
});
