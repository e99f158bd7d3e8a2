import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe } from 'vitest';
import type { EventLog } from '../event-log.ts';
import { describeAppend, describeIdempotentAppend } from './event-log-append.contract.ts';
import { createEndOfLog } from './event-log-context.ts';
import type { Context } from './event-log-context.ts';
import { describeKeepLastOnly } from './event-log-keep-last.contract.ts';
import {
  describeReadAll,
  describeReadLastPosition,
  describeReadStream,
} from './event-log-read.contract.ts';
import { describeSubscribeAll } from './event-log-subscribe.contract.ts';

/**
 * What every `EventLog` does, run unchanged on each implementation and on any server. All stream names are new for
 * each run and start with a category of their own, so that the suite can run against a server that is in use.
 */
export function describeEventLog(name: string, setUp: () => Promise<EventLogUnderTest>): void {
  describe(`event log: ${name}`, () => {
    let subject: EventLogUnderTest;
    const category = `contract${randomUUID().slice(0, 8)}`;
    const prefix = `${category}-`;
    const inUse: Context = {
      log: () => subject.log,
      cutSubscriptions: () => subject.cutSubscriptions,
      endOfLog: createEndOfLog(() => subject.log, prefix),
      prefix,
      newStream: (label = 's') => `${category}-${label}${randomUUID()}`,
    };

    beforeAll(async () => {
      subject = await setUp();
    });
    afterAll(async () => {
      await subject.stop();
    });

    describe('append', () => {
      describeAppend(inUse);
    });
    describe('idempotent append', () => {
      describeIdempotentAppend(inUse);
    });
    describe('keepLastOnly', () => {
      describeKeepLastOnly(inUse);
    });
    describe('readStream', () => {
      describeReadStream(inUse);
    });
    describe('readAll', () => {
      describeReadAll(inUse);
    });
    describe('readLastPosition', () => {
      describeReadLastPosition(inUse);
    });
    describe('subscribeAll', () => {
      describeSubscribeAll(inUse);
    });
  });
}

export interface EventLogUnderTest {
  readonly log: EventLog;
  /** Ends every live subscription from the server's side; null where a test cannot do that. */
  readonly cutSubscriptions: (() => void) | null;
  readonly stop: () => Promise<void>;
}
