import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DevStackFile } from '../dev-stack-file.ts';
import { type Exit, exitOf } from '../processes.ts';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const MAIN = ['--import', 'tsx', 'infra/dev-stack/src/main.ts'];

export interface StackProcess {
  readonly dataDir: string;
  /** `dev-stack.json` as it is now. */
  file(): DevStackFile;
  /** Everything printed so far. */
  output(): string;
  readonly exited: Promise<Exit>;
  /** Resolves when everything works; rejects with the output when the stack ends before. */
  readonly ready: Promise<void>;
  /** To the first process, as a service manager does it. */
  signal(signal: NodeJS.Signals): void;
  /** As Ctrl-C in a terminal does it: to the whole process group. */
  interrupt(): void;
  /** kill -9 of the whole process group. */
  kill(): Promise<void>;
}

/** The stack in a process group of its own; whoever starts it must end it. HTTP is on a free port. */
export function startStackProcess(options: {
  dataDir: string;
  env?: Record<string, string>;
  /** Start it as its user does, by npm. */
  byNpm?: boolean;
}): StackProcess {
  const { dataDir, env, byNpm = false } = options;
  const child = spawn(byNpm ? 'npm' : process.execPath, byNpm ? ['start'] : MAIN, {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PORT: '0', DATA_DIR: dataDir, ...env },
  });
  let output = '';
  const exited = exitOf(child);
  const ready = new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString('utf8');
      if (output.includes('Ctrl-C stops everything.')) resolve();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    void exited.then(() => reject(new Error(`the stack ended before it was ready:\n${output}`)));
  });
  ready.catch(() => {}); // tests of failing starts look at `exited` only
  return {
    dataDir,
    file: () => {
      const content: DevStackFile = JSON.parse(
        readFileSync(join(dataDir, 'dev-stack.json'), 'utf8'),
      );
      return content;
    },
    output: () => output,
    exited,
    ready,
    signal: (signal) => void child.kill(signal),
    interrupt: () => void process.kill(-(child.pid ?? 0), 'SIGINT'),
    kill: async () => {
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL');
      } catch {
        // it has ended already
      }
      await exited;
    },
  };
}
