// An AI service in thirty lines: `npm start` in one terminal, `npm run example` in another.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@points/client/connect';
import { LedgerRefused } from '@points/client/errors';

const folder = process.env['DATA_DIR'] ?? '.data';
const { nats } = JSON.parse(readFileSync(`${folder}/dev-stack.json`, 'utf8'));
const ledger = await connect({
  servers: nats.url,
  client: 'ai-demo',
  credentials: nats.clients['ai-demo'],
  outbox: { dir: `${folder}/example-outbox` },
  onOrphan: () => 'cancel', // an earlier run was killed in its work: nobody has got its pictures
});

for (const wanted of [3, 20]) {
  try {
    const { result, settlement } = await ledger.withHold(
      { accountId: 'test_user', sourceType: 'image', estimate: { quantity: wanted } },
      async (hold) => {
        console.log(`held ${hold.amount} points for ${wanted} pictures, task ${hold.taskNo}`);
        await sleep(200, null, { signal: hold.signal }); // the model works; one picture fails
        hold.used({ quantity: wanted - 1 });
        return `${wanted - 1} pictures`;
      },
    );
    if (settlement.status !== 'confirmed') console.log(`${result}; charged later`);
    else console.log(`${result}: charged ${settlement.result.amount}, left`, settlement.balance);
  } catch (error) {
    if (!(error instanceof LedgerRefused)) throw error;
    console.log(`no work for ${wanted} pictures: ${error.message}`);
  }
}
await ledger.close();
