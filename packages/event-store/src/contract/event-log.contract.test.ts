import { connectEventStoreDb } from '../eventstoredb.ts';
import { createInMemoryEventLog } from '../in-memory.ts';
import { describeEventLog } from './event-log.contract.ts';
import { startServerUnderTest } from './server-under-test.ts';

describeEventLog('in memory', async () => {
  const log = createInMemoryEventLog();
  return { log, cutSubscriptions: log.faults.cutSubscriptions, stop: () => log.close() };
});

describeEventLog('EventStoreDB', async () => {
  const server = await startServerUnderTest();
  const log = connectEventStoreDb({ url: server.url });
  const { standIn } = server;
  return {
    log,
    cutSubscriptions:
      standIn === null ? null : () => standIn.faults.endSubscriptions('unavailable'),
    async stop() {
      await log.close();
      await server.stop();
    },
  };
});
