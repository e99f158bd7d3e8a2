import { expect, it } from 'vitest';
import { CLIENTS, passwordVariable, permissionsOf, productionUsers } from './permissions.ts';

it('users.conf is what permissions.ts says; `npx vitest run infra/nats/permissions.test.ts --update` writes it', async () => {
  await expect(productionUsers()).toMatchFileSnapshot('users.conf');
});

it.each(['', 'A', 'a.b', 'a*', '>', 'a b', '-a', 'x'.repeat(33), 'a"'])(
  'refuses the client name %j',
  (name) => {
    expect(() => permissionsOf({ name, role: 'ai' })).toThrow('cannot be a NATS client');
  },
);

it('every client hears its own inbox and, but for the ledger, nothing else', () => {
  for (const client of CLIENTS.filter(({ role }) => role !== 'ledger')) {
    expect(permissionsOf(client).subscribe).toEqual([`_INBOX.${client.name}.>`]);
  }
});

it('nobody but the ledger may publish outside its own token', () => {
  for (const client of CLIENTS.filter(({ role }) => role !== 'ledger')) {
    const foreign = permissionsOf(client).publish.filter(
      (subject) =>
        !subject.startsWith(`ledger.v1.cmd.${client.name}.`) &&
        !subject.startsWith(`ledger.v1.qry.${client.name}.`),
    );
    expect(foreign).toEqual(client.role === 'admin' ? ['$SRV.>'] : []);
  }
});

it('names the environment variable of a password', () => {
  expect(passwordVariable('ai-demo')).toBe('NATS_PASS_AI_DEMO');
});
