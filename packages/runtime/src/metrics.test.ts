import { expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';

it('labels own and default metrics with the service, and two registries do not mix', async () => {
  const ledger = createMetrics('ledger');
  const api = createMetrics('api');
  ledger.counter('commands_total', 'commands', ['outcome']).inc({ outcome: 'ok' });
  api.counter('commands_total', 'commands', ['outcome']).inc({ outcome: 'ok' }, 5);

  const text = await ledger.text();

  expect(text).toContain('commands_total{outcome="ok",service="ledger"} 1');
  expect(text).toMatch(/process_cpu_user_seconds_total\{service="ledger"\}/);
  expect(text).not.toContain('service="api"');
});
