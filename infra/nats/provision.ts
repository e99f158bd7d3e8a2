import {
  type ConsumerDefinition,
  createJetStreamSetup,
  type SetUp,
} from '@points/runtime/jetstream-setup';
import { JetStreamError } from '@points/runtime/jetstream';
import type { Nats } from '@points/runtime/nats';
import { CONSUMERS, STREAMS } from './streams.ts';

/** The first with everything that the streams use. */
const OLDEST_SERVER = [2, 9, 0];
/** Before it the server has known security faults. */
const ADVISED_SERVER = [2, 12, 0];

const NOT_ASKED: ReadonlySet<JetStreamError['code']> = new Set([
  'not_connected',
  'timeout',
  'disconnected',
]);

/** Why the streams are not as they should be; `message` is a sentence for the operator. */
export class ProvisionError extends Error {
  override name = 'ProvisionError';
}

export type Provisioned = {
  serverVersion: string;
  /** Works, but should not be used in production. */
  outdated: boolean;
  /** In the order of work: `LEDGER_CMD`, …, `LEDGER_CMD ledger-cmd`. */
  done: { what: string; how: SetUp }[];
};

/**
 * Creates the streams and consumers of the system, or changes them to what streams.ts says; what
 * they hold stays. May run as often as one likes, also beside a running system. Throws ProvisionError when the server
 * refused something, JetStreamError when it could not be asked.
 */
export async function provisionStreams(
  nats: Nats,
  consumers: ConsumerDefinition[] = CONSUMERS,
): Promise<Provisioned> {
  const setup = createJetStreamSetup(nats);
  const { serverVersion } = setup;
  if (isOlder(serverVersion, OLDEST_SERVER)) {
    throw new ProvisionError(
      `The NATS server is ${serverVersion}; ${OLDEST_SERVER.join('.')} or later is needed.`,
    );
  }
  const done: Provisioned['done'] = [];
  try {
    for (const stream of STREAMS) done.push({ what: stream.name, how: await setup.stream(stream) });
    for (const consumer of consumers) {
      const what = `${consumer.stream} ${consumer.name}`;
      done.push({ what, how: await setup.consumer(consumer) });
    }
  } catch (error) {
    if (!(error instanceof JetStreamError) || NOT_ASKED.has(error.code)) throw error;
    throw new ProvisionError(`The streams of NATS could not be set up: ${error.message}.`, {
      cause: error,
    });
  }
  return { serverVersion, outdated: isOlder(serverVersion, ADVISED_SERVER), done };
}

function isOlder(version: string, than: number[]): boolean {
  const parts = version.split(/[.-]/).map(Number);
  for (const [index, wanted] of than.entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return !(part > wanted);
  }
  return false;
}
