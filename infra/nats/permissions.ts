/**
 * Who may say and hear what on NATS. The server enforces it: the fourth token of a subject is the
 * caller's identity, and a caller can use only its own (a message carries no other proof of who
 * sent it). Nobody gets `allow_responses`: with it a caller could make the ledger publish on
 * another client's subject by naming that as its reply subject.
 */
export type Role = 'ledger' | 'ai' | 'api' | 'billing' | 'admin' | 'relay' | 'provision' | 'dlq';

export type Client = { name: string; role: Role };

export type Permissions = { publish: string[]; subscribe: string[] };

/** The clients of this system. Each new AI service is one line here with a name of its own. */
export const CLIENTS: Client[] = [
  { name: 'ledger', role: 'ledger' },
  { name: 'api', role: 'api' },
  { name: 'billing', role: 'billing' },
  { name: 'admin', role: 'admin' },
  { name: 'ai-demo', role: 'ai' },
  { name: 'relay', role: 'relay' },
  { name: 'provision', role: 'provision' },
  { name: 'dlq', role: 'dlq' },
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
const STREAMS = ['LEDGER_CMD', 'LEDGER_RES', 'LEDGER_EVT', 'LEDGER_DLQ', 'LEDGER_DLQ_ADV'];
/** Each as stream and name. */
const CONSUMERS = ['LEDGER_CMD.ledger-cmd', 'LEDGER_DLQ_ADV.ledger-adv'];

/** What `client` may publish and subscribe; everything else is refused. */
export function permissionsOf({ name, role }: Client): Permissions {
  if (!/^[a-z0-9][a-z0-9_-]{0,31}$/.test(name)) {
    throw new Error(`"${name}" cannot be a NATS client: use 1 to 32 of a-z, 0-9, _ and -`);
  }
  const commands = (verbs: string[]) => verbs.map((verb) => `ledger.v1.cmd.${name}.${verb}`);
  const queries = (verbs: string[]) => verbs.map((verb) => `ledger.v1.qry.${name}.${verb}`);
  const inbox = `_INBOX.${name}.>`;
  /** Settlements that are stored until the ledger has decided them, and their results; see streams.ts. */
  const durable = {
    publish: [
      `ledger.v1.q.${name}.confirm`,
      `ledger.v1.q.${name}.cancel`,
      // The last result of one command, for a client that was away. The subject is part of the
      // question's own subject, so nobody can ask for a result of another client.
      `$JS.API.DIRECT.GET.LEDGER_RES.ledger.v1.res.${name}.*`,
    ],
    subscribe: [`ledger.v1.res.${name}.>`],
  };
  switch (role) {
    case 'ledger':
      return {
        publish: [
          '_INBOX.>',
          'ledger.v1.res.>',
          'ledger.v1.dlq.>',
          '$JS.API.STREAM.INFO.LEDGER_CMD',
          // To move a message that was delivered too often among the dead letters.
          '$JS.API.STREAM.MSG.GET.LEDGER_CMD',
          '$JS.API.STREAM.MSG.DELETE.LEDGER_CMD',
          ...consuming('LEDGER_CMD', 'ledger-cmd'),
          ...consuming('LEDGER_DLQ_ADV', 'ledger-adv'),
        ],
        // With a queue name only: a plain subscription would copy every command to one listener.
        subscribe: ['ledger.v1.cmd.> ledger', 'ledger.v1.qry.> ledger', '$SRV.>', inbox],
      };
    case 'ai':
      return {
        publish: [...commands(HOLD_COMMANDS), ...queries(QUERIES), ...durable.publish],
        subscribe: [inbox, ...durable.subscribe],
      };
    case 'api':
      return {
        publish: [
          ...commands(HOLD_COMMANDS),
          ...queries([...QUERIES, 'health']),
          ...durable.publish,
        ],
        subscribe: [inbox, ...durable.subscribe],
      };
    case 'billing':
      return { publish: [...commands(BILLING_COMMANDS), ...queries(QUERIES)], subscribe: [inbox] };
    case 'admin':
      return { publish: [...commands(['*']), ...queries(['*']), '$SRV.>'], subscribe: [inbox] };
    case 'relay':
      return {
        publish: [
          'ledger.v1.evt.>',
          '$JS.API.STREAM.INFO.LEDGER_EVT',
          '$JS.API.STREAM.MSG.GET.LEDGER_EVT',
        ],
        subscribe: [inbox],
      };
    // A job that makes the streams what streams.ts says. It has no question for messages, but whoever may change
    // a stream or a consumer can have messages dropped or sent elsewhere: its password is a key to all of them.
    case 'provision':
      return {
        publish: [
          ...STREAMS.flatMap((stream) =>
            ['INFO', 'CREATE', 'UPDATE'].map((verb) => `$JS.API.STREAM.${verb}.${stream}`),
          ),
          ...CONSUMERS.flatMap((consumer) =>
            ['INFO', 'CREATE', 'DURABLE.CREATE'].map(
              (verb) => `$JS.API.CONSUMER.${verb}.${consumer}`,
            ),
          ),
        ],
        subscribe: [inbox],
      };
    // A person's tool that sends dead letters again, each as the client that had sent it.
    case 'dlq':
      return {
        publish: [
          'ledger.v1.q.*.confirm',
          'ledger.v1.q.*.cancel',
          '$JS.API.STREAM.INFO.LEDGER_DLQ',
          '$JS.API.STREAM.MSG.GET.LEDGER_DLQ',
          '$JS.API.STREAM.MSG.DELETE.LEDGER_DLQ',
        ],
        subscribe: [inbox],
      };
  }
}

/** What a member of a pull consumer publishes. */
function consuming(stream: string, consumer: string): string[] {
  return [
    `$JS.API.CONSUMER.INFO.${stream}.${consumer}`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
    `$JS.ACK.${stream}.${consumer}.>`,
    // Newer servers put domain and account in front.
    `$JS.ACK.*.*.${stream}.${consumer}.>`,
  ];
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
