import {
  COMMAND_STREAM,
  DEAD_LETTER_STREAM,
  type DurableVerb,
  queuedSubject,
  RESULT_STREAM,
  resultSubject,
} from '@points/contracts/ledger-subjects';
import type { Reply } from '@points/contracts/ledger-replies';
import { createJetStream, type StoredMessage } from '@points/runtime/jetstream';
import { vi } from 'vitest';
import { v7 } from 'uuid';
import type { World } from './ledger-under-test.ts';

const PATIENCE_MS = 30_000;

/** What AI services and operators do with stored settlements. */
export interface StoredCommands {
  /** Stores a settlement as that client; `command_id` is made up when absent. Resolves with it. */
  put(client: string, verb: DurableVerb, body: object): Promise<string>;
  /** The same, with everything as it is given. */
  putRaw(
    client: string,
    verb: string,
    bytes: string,
    headers?: Record<string, string>,
  ): Promise<void>;
  /** The result of that command, or null. */
  result(client: string, commandId: string): Promise<Reply | null>;
  /** The same; waits until it is there. */
  resultOf(client: string, commandId: string): Promise<Reply>;
  /** Settlements that are not decided yet. */
  waiting(): Promise<number>;
  /** Deliveries of settlements so far, to anybody. */
  deliveries(): Promise<number>;
  results(): Promise<number>;
  deadLetters(): Promise<StoredMessage[]>;
}

export function storedCommands(world: World): StoredCommands {
  const streams = async (client: string) => createJetStream(await world.connection(client));

  async function result(client: string, commandId: string): Promise<Reply | null> {
    const subject = resultSubject(client, commandId);
    const found = await (await streams(client)).lastOf(RESULT_STREAM, subject);
    // The ledger's own test compares results with replies, whose shape is checked.
    return found === null ? null : (JSON.parse(Buffer.from(found.data).toString()) as Reply);
  }

  return {
    result,
    async put(client, verb, body) {
      const command_id = v7();
      const message = { command_id, ...body };
      await (
        await streams(client)
      ).publish(queuedSubject(client, verb), Buffer.from(JSON.stringify(message)), {
        msgId: message.command_id,
      });
      return message.command_id;
    },
    async putRaw(client, verb, bytes, headers = {}) {
      const subject = `ledger.v1.q.${client}.${verb}`;
      await (await streams(client)).publish(subject, Buffer.from(bytes), { headers });
    },
    resultOf: (client, commandId) =>
      vi.waitFor(
        async () => {
          const found = await result(client, commandId);
          if (found === null) throw new Error(`no result of ${commandId}`);
          return found;
        },
        { timeout: PATIENCE_MS },
      ),
    waiting: async () => (await (await streams('ledger')).streamState(COMMAND_STREAM)).messages,
    async deliveries() {
      const ledger = await world.connection('ledger');
      const { data } = await ledger.request(
        `$JS.API.CONSUMER.INFO.${COMMAND_STREAM}.ledger-cmd`,
        new Uint8Array(),
        { timeoutMs: 5_000 },
      );
      const info: { delivered: { consumer_seq: number } } = JSON.parse(
        Buffer.from(data).toString(),
      );
      return info.delivered.consumer_seq;
    },
    results: async () => {
      const provision = await world.connection('provision');
      const { data } = await provision.request(
        `$JS.API.STREAM.INFO.${RESULT_STREAM}`,
        new Uint8Array(),
        { timeoutMs: 5_000 },
      );
      const info: { state: { messages: number } } = JSON.parse(Buffer.from(data).toString());
      return info.state.messages;
    },
    async deadLetters() {
      const dlq = await streams('dlq');
      const { firstSequence, lastSequence } = await dlq.streamState(DEAD_LETTER_STREAM);
      const letters: StoredMessage[] = [];
      for (let sequence = Math.max(1, firstSequence); sequence <= lastSequence; sequence += 1) {
        const letter = await dlq.message(DEAD_LETTER_STREAM, sequence);
        if (letter !== null) letters.push(letter);
      }
      return letters;
    },
  };
}
