import { relative } from 'node:path';
import { ConfigError } from '@points/runtime/config';
import { createLog } from '@points/runtime/log';
import { createShutdown } from '@points/runtime/shutdown';
import type { DevStackFile } from './dev-stack-file.ts';
import { createProgress } from './progress.ts';
import { readSettings, type Settings } from './settings.ts';
import { createStack } from './stack.ts';
import { StartError } from './start-error.ts';

/** `npm start`: the whole system until Ctrl-C. */
async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const progress = createProgress((line) => process.stdout.write(`${line}\n`));
  const stack = createStack(settings, progress);
  const shutdown = createShutdown({ log: createLog('dev-stack', 'info', { write: sayForPeople }) });
  let isStopping = false;
  shutdown.add('stack', () => {
    isStopping = true;
    return stack.stop();
  });
  progress.say(`points-ledger starts; its data are in ${settings.dataDir}`);
  const startedAt = performance.now();
  try {
    const running = await stack.start();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    progress.say(`Ready after ${seconds} s.\n\n${overview(running, settings)}`);
  } catch (error) {
    if (isStopping) return; // a part that was ended before it was ready
    if (!(error instanceof StartError)) throw error;
    process.stderr.write(`points-ledger: ${error.message}\n`);
    shutdown.stop('', 1);
  }
}

function overview(running: DevStackFile, settings: Settings): string {
  const folder = relative(process.cwd(), settings.dataDir) || settings.dataDir;
  const { host, port, pathname } = new URL(running.postgres);
  const call = `npm run call -- ai-demo balance '{"account_id": "test_user"}'`;
  return `  HTTP         ${running.http}  (API to try: ${running.http}/docs)
  NATS         ${running.nats.url}
  Event store  ${running.eventstore}${settings.eventStoreUrl ? '' : '  (stand-in for development)'}
  PostgreSQL   ${host || port}${pathname}
  Passwords    ${folder}/dev-stack.json
  Logs         ${folder}/<part>.log

Next, in another terminal:
  ${settings.dataDir.endsWith('/.data') ? '' : `DATA_DIR=${settings.dataDir} `}${call}
Ctrl-C stops everything.`;
}

/** What the shutdown reports, as a line for the terminal. */
function sayForPeople(line: string): void {
  const { msg, reason, err }: { msg?: string; reason?: string; err?: { stack?: string } } =
    JSON.parse(line);
  if (err) process.stderr.write(`points-ledger: ${msg}: ${err.stack}\n`);
  else if (msg === 'stopping' && reason) process.stdout.write(`\nStopping (${reason}) …\n`);
  else if (msg === 'did not stop in time')
    process.stderr.write('points-ledger: not everything stopped in time\n');
  else if (msg === 'stopped' && !process.exitCode) process.stdout.write('Stopped.\n');
}

main().catch((error: unknown) => {
  const isPlain = error instanceof ConfigError;
  process.stderr.write(
    `points-ledger: ${isPlain ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exit(1);
});
