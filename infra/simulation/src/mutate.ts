import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTATIONS, type Mutation } from './mutations.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDERS = ['packages', 'services', 'infra', 'config'];
const SEEDS = 300;
const STEPS = 1_000;

/**
 * Breaks one rule after another in a copy of the sources and shows which check of the simulation notices, and when.
 * False when a mutation survives.
 */
export function proveItCanFail(options: { readonly only: string | undefined }): boolean {
  const copy = copySources();
  try {
    let allCaught = true;
    console.log('| Mutation | Caught at | By |\n| --- | --- | --- |');
    for (const mutation of MUTATIONS) {
      if (options.only !== undefined && !mutation.name.includes(options.only)) continue;
      const caught = run(copy, mutation);
      allCaught &&= caught !== null;
      console.log(
        `| ${mutation.name} | ${caught?.at ?? 'never'} | ${caught?.by ?? '**survived**'} |`,
      );
    }
    return allCaught;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The packages under their own names, everything else as it is installed. */
function copySources(): string {
  const copy = mkdtempSync(join(tmpdir(), 'mutations-'));
  for (const name of ['package.json', 'tsconfig.json']) cpSync(join(ROOT, name), join(copy, name));
  for (const folder of FOLDERS) cpSync(join(ROOT, folder), join(copy, folder), { recursive: true });
  mkdirSync(join(copy, 'node_modules', '@points'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name !== '@points')
      symlinkSync(join(ROOT, 'node_modules', name), join(copy, 'node_modules', name));
  }
  for (const folder of ['packages', 'services', 'infra']) {
    for (const name of readdirSync(join(copy, folder)))
      symlinkSync(join(copy, folder, name), join(copy, 'node_modules', '@points', name));
  }
  return copy;
}

function run(
  copy: string,
  mutation: Mutation,
): { readonly at: string; readonly by: string } | null {
  const before = new Map<string, string>();
  try {
    for (const { file, find, replace } of mutation.edits) {
      const path = join(copy, file);
      const source = readFileSync(path, 'utf8');
      if (!before.has(path)) before.set(path, source);
      if (source.split(find).length !== 2)
        throw new Error(`${mutation.name}: ${file} does not hold it exactly once:\n${find}`);
      writeFileSync(
        path,
        source.replace(find, () => replace),
      );
    }
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        '--import',
        'tsx',
        'infra/simulation/src/main.ts',
        '--seed',
        '1',
        '--seeds',
        String(SEEDS),
        '--steps',
        String(STEPS),
      ],
      { cwd: copy, encoding: 'utf8' },
    );
    if (status === 0) return null;
    const [, at, by] = /^(seed \d+, step \d+): (.*)$/m.exec(stderr) ?? [];
    if (at === undefined || by === undefined)
      throw new Error(`${mutation.name}: the simulation did not run:\n${stderr}`);
    return { at, by: by.replaceAll('|', '/') };
  } finally {
    for (const [path, source] of before) writeFileSync(path, source);
  }
}
