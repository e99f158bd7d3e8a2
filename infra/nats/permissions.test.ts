import { expect, it } from 'vitest';
import { CLIENTS, passwordVariable, permissionsOf, productionUsers } from './permissions.ts';
import { CONSUMERS, STREAMS } from './streams.ts';

it('users.conf is what permissions.ts says; `npx vitest run infra/nats/permissions.test.ts --update` writes it', async () => {
  await expect(productionUsers()).toMatchFileSnapshot('users.conf');
});

it.each(['', 'A', 'a.b', 'a*', '>', 'a b', '-a', 'x'.repeat(33), 'a"'])(
  'refuses the client name %j',
  (name) => {
    expect(() => permissionsOf({ name, role: 'ai' })).toThrow('cannot be a NATS client');
  },
);

const AI_LIKE = new Set(['ai', 'api']);

it('every client hears its own inbox, its own results and, but for the ledger, nothing else', () => {
  for (const { name, role } of CLIENTS.filter((client) => client.role !== 'ledger')) {
    expect(permissionsOf({ name, role }).subscribe).toEqual([
      `_INBOX.${name}.>`,
      ...(AI_LIKE.has(role) ? [`ledger.v1.res.${name}.>`] : []),
    ]);
  }
});

it('nobody who asks the ledger may publish outside its own token', () => {
  for (const client of CLIENTS.filter(
    ({ role }) => AI_LIKE.has(role) || role === 'billing' || role === 'admin',
  )) {
    const { name, role } = client;
    const foreign = permissionsOf(client).publish.filter(
      (subject) => !/^ledger\.v1\.(cmd|qry|q)\./.test(subject) || subject.split('.')[3] !== name,
    );
    expect(foreign).toEqual(
      role === 'admin'
        ? ['$SRV.>']
        : AI_LIKE.has(role)
          ? [`$JS.API.DIRECT.GET.LEDGER_RES.ledger.v1.res.${name}.*`]
          : [],
    );
  }
});

it('settlements may be stored by those who hold, and by nobody for another one but the operator', () => {
  const queued = CLIENTS.flatMap((client) =>
    permissionsOf(client).publish.filter((subject) => subject.startsWith('ledger.v1.q.')),
  );
  expect(queued).toEqual([
    'ledger.v1.q.api.confirm',
    'ledger.v1.q.api.cancel',
    'ledger.v1.q.ai-demo.confirm',
    'ledger.v1.q.ai-demo.cancel',
    'ledger.v1.q.*.confirm',
    'ledger.v1.q.*.cancel',
  ]);
});

it('nobody may do everything with streams', () => {
  const wide = CLIENTS.flatMap((client) =>
    permissionsOf(client).publish.filter(
      (subject) =>
        subject.startsWith('$JS.API') && /[>]|STREAM\.(PURGE|DELETE|RESTORE)/.test(subject),
    ),
  );
  expect(wide).toEqual([]);
});

it('names every stream and consumer that streams.ts has, to those who set them up', () => {
  const { publish } = permissionsOf({ name: 'provision', role: 'provision' });
  for (const { name } of STREAMS)
    expect(publish).toEqual(
      expect.arrayContaining(
        ['INFO', 'CREATE', 'UPDATE'].map((verb) => `$JS.API.STREAM.${verb}.${name}`),
      ),
    );
  for (const { stream, name } of CONSUMERS)
    expect(publish).toContain(`$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${name}`);
});

it('names the environment variable of a password', () => {
  expect(passwordVariable('ai-demo')).toBe('NATS_PASS_AI_DEMO');
});
