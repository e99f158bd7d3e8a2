import { connect } from 'node:net';
import { CLIENTS, passwordVariable } from '../../nats/permissions.ts';
import type { NatsCredentials } from './nats-server.ts';
import { StartError } from './start-error.ts';

const CONNECT_TIMEOUT_MS = 3_000;
const DEFAULT_PORTS = new Map([
  ['esdb:', 2113],
  ['esdb+discover:', 2113],
  ['postgres:', 5432],
  ['postgresql:', 5432],
  ['nats:', 4222],
  ['tls:', 4222],
]);

/** Throws StartError when nothing listens at the address that `variable` names. */
export async function checkExternalServer(variable: string, url: string): Promise<void> {
  const { protocol, hostname, port } = new URL(url);
  const socket = connect({
    host: hostname,
    port: Number(port) || (DEFAULT_PORTS.get(protocol) ?? 0),
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
      socket.setTimeout(CONNECT_TIMEOUT_MS, () => reject(new Error('no answer in time')));
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(
      `Nothing answers at ${hostname}, which ${variable} names (${reason}): start that server first, or leave ${variable} out.`,
    );
  } finally {
    socket.destroy();
  }
}

/** Users of a NATS server that is not ours: their passwords are in the variables of infra/nats/users.conf. */
export function externalNatsClients(env: NodeJS.ProcessEnv): Record<string, NatsCredentials> {
  return Object.fromEntries(
    // A server without users takes any password.
    CLIENTS.map(({ name }) => [name, { user: name, pass: env[passwordVariable(name)] ?? 'none' }]),
  );
}
