import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** Runs the stand-in as a process of its own, for the length of a test. `shell` is put before it, such as a limit. */
export function runServer(env: Record<string, string>, shell = ''): ServerProcess {
  const command = `${shell} exec "$0" --import tsx "$1"`;
  const child = spawn('sh', ['-c', command, process.execPath, MAIN], {
    cwd: ROOT,
    env: { ...process.env, ...env },
  });
  let output = '';
  const seen: (() => void)[] = [];
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const look of [...seen]) look();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const exited = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? code ?? -1));
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return {
    exited,
    output: () => output,
    kill: (signal) => void child.kill(signal),
    ready: () =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const url = /ready on (\S+),/.exec(output)?.[1];
          if (url !== undefined) resolve(url);
        };
        seen.push(look);
        look();
        void exited.then(
          (how) => reject(new Error(`ended with ${how} before it was ready: ${output}`)),
          reject,
        );
      }),
  };
}

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

export interface ServerProcess {
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Everything it has printed so far. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Its connection string, once it says that it is ready. */
  ready(): Promise<string>;
}
