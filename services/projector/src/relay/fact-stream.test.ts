import { describeFactStream } from './testing/fact-stream.contract.ts';
import { createInMemoryFactStream } from './testing/in-memory-fact-stream.ts';

describeFactStream('in memory', async () => {
  const stream = createInMemoryFactStream();
  return {
    stream,
    other: stream,
    stored: async () => stream.facts(),
    expireAll: async () => stream.faults.expire(),
    setDown: async (down) => stream.faults.setDown(down),
    stop: async () => undefined,
  };
});
