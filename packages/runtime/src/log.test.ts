import { describe, expect, it } from 'vitest';
import { announceReady, createLog } from './log.ts';

function lines(
  write: (log: ReturnType<typeof createLog>) => void,
  level: 'info' | 'warn' = 'info',
): unknown[] {
  const written: unknown[] = [];
  write(createLog('ledger', level, { write: (line) => written.push(JSON.parse(line)) }));
  return written;
}

describe('createLog', () => {
  it('writes one JSON object per entry with name, level as a word and UTC time', () => {
    expect(lines((log) => log.info({ accountId: 'a' }, 'held'))).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        name: 'ledger',
        accountId: 'a',
        msg: 'held',
      },
    ]);
  });

  it('writes nothing below its level', () => {
    expect(lines((log) => log.info('x'), 'warn')).toEqual([]);
  });

  it('shows the causes of an error', () => {
    const [line] = lines((log) =>
      log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed'),
    );
    expect(JSON.stringify(line)).toContain('outer: inner');
  });

  it('announces readiness with the health port', () => {
    expect(lines((log) => announceReady(log, 4711))).toEqual([
      expect.objectContaining({ msg: 'ready', healthPort: 4711 }),
    ]);
  });
});
