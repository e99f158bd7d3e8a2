/** The path of the nats-server program on this machine (the one that NATS_SERVER names, if set), or null. */
export function findNatsServer(env?: NodeJS.ProcessEnv): string | null;
