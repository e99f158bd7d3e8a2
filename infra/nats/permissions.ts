/**
 * Who may say and hear what on NATS. The server enforces it: the fourth token of a subject is the
 * caller's identity, and a caller can use only its own (a message carries no other proof of who
 * sent it). Nobody gets `allow_responses`: with it a caller could make the ledger publish on
 * another client's subject by naming that as its reply subject.
 */
export type Role = 'ledger' | 'ai' | 'api' | 'billing' | 'admin';

export type Client = { name: string; role: Role };

export type Permissions = { publish: string[]; subscribe: string[] };

/** The clients of this system. Each new AI service is one line here with a name of its own. */
export const CLIENTS: Client[] = [
  { name: 'ledger', role: 'ledger' },
  { name: 'api', role: 'api' },
  { name: 'billing', role: 'billing' },
  { name: 'admin', role: 'admin' },
  { name: 'ai-demo', role: 'ai' },
];

const QUERIES = ['balance', 'hold', 'quote', 'price', 'command'];
const HOLD_COMMANDS = ['hold', 'confirm', 'cancel', 'extend', 'consume'];
const BILLING_COMMANDS = [
  'recharge',
  'reverse_recharge',
  'refund',
  'grant_membership',
  'revoke_membership',
];

/** What `client` may publish and subscribe; everything else is refused. */
export function permissionsOf({ name, role }: Client): Permissions {
  if (!/^[a-z0-9][a-z0-9_-]{0,31}$/.test(name)) {
    throw new Error(`"${name}" cannot be a NATS client: use 1 to 32 of a-z, 0-9, _ and -`);
  }
  const commands = (verbs: string[]) => verbs.map((verb) => `ledger.v1.cmd.${name}.${verb}`);
  const queries = (verbs: string[]) => verbs.map((verb) => `ledger.v1.qry.${name}.${verb}`);
  const inbox = `_INBOX.${name}.>`;
  switch (role) {
    case 'ledger':
      return {
        publish: ['_INBOX.>'],
        // With a queue name only: a plain subscription would copy every command to one listener.
        subscribe: ['ledger.v1.cmd.> ledger', 'ledger.v1.qry.> ledger', '$SRV.>', inbox],
      };
    case 'ai':
      return { publish: [...commands(HOLD_COMMANDS), ...queries(QUERIES)], subscribe: [inbox] };
    case 'api':
      return {
        publish: [...commands(HOLD_COMMANDS), ...queries([...QUERIES, 'health'])],
        subscribe: [inbox],
      };
    case 'billing':
      return { publish: [...commands(BILLING_COMMANDS), ...queries(QUERIES)], subscribe: [inbox] };
    case 'admin':
      return { publish: [...commands(['*']), ...queries(['*']), '$SRV.>'], subscribe: [inbox] };
  }
}

/** Name of the environment variable with a client's password: `ai-demo` → `NATS_PASS_AI_DEMO`. */
export function passwordVariable(clientName: string): string {
  return `NATS_PASS_${clientName.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * The file users.conf for nats-server. `passwordOf` gives the value as it stands in the file:
 * a quoted text, or `$NAME` for an environment variable of the server.
 */
export function renderUsers(clients: Client[], passwordOf: (clientName: string) => string): string {
  const users = clients.map((client) => {
    const { publish, subscribe } = permissionsOf(client);
    return `    {
      user: ${client.name}, password: ${passwordOf(client.name)}
      permissions: {
        publish: ${JSON.stringify(publish)}
        subscribe: ${JSON.stringify(subscribe)}
      }
    }`;
  });
  return `authorization: {\n  users: [\n${users.join('\n')}\n  ]\n}\n`;
}

/** users.conf of production: the passwords come from the server's environment. */
export function productionUsers(): string {
  const comment =
    '# Made from permissions.ts by `npx vitest run infra/nats/permissions.test.ts --update`; change it there.\n' +
    '# Each password is read from the environment of nats-server and must begin with a letter.\n';
  return comment + renderUsers(CLIENTS, (clientName) => `$${passwordVariable(clientName)}`);
}
