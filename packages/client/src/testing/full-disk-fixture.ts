import { openFileOutbox } from '../file-outbox.ts';
import { OutboxError } from '../errors.ts';
import { silentLog } from '../log.ts';
import type { OutboxRow } from '../outbox.ts';

/** A process for file-outbox.test.ts whose files may not become large: writes until that is refused, then something small. */
const dir = process.argv[2] ?? '';
const outbox = openFileOutbox({ dir, log: silentLog });
const refused: string[] = [];
const taken: string[] = [];

const put = async (key: string, description: string): Promise<void> => {
  const row: OutboxRow = {
    key,
    stage: 'requested',
    since: new Date(0).toISOString(),
    hold: { accountId: 'user-1', description },
  };
  try {
    await outbox.put(row);
    taken.push(key);
  } catch (error) {
    refused.push(error instanceof OutboxError ? `OutboxError ${error.code}` : String(error));
  }
};

await put('too large', 'x'.repeat(10_000));
await put('small', '');
await outbox.close();
process.stdout.write(JSON.stringify({ refused, taken }));
