// Everything that can be said of the code without running it. Prints a line per check; exits 1 when one fails.
import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** One planted violation per row of the dependency rule: each must be found, or the rule does not bite. */
const CANARIES = [
  ['packages/domain/src/canary-node.ts', "import 'node:fs';"],
  [
    'packages/domain/src/canary-package.ts',
    "import type { ErrorCode } from '@points/contracts/errors';\nexport type Canary = ErrorCode;",
  ],
  ['packages/domain/src/canary-clock.ts', 'export const canary = Date.now();'],
  ['packages/contracts/src/canary.ts', "import '@points/event-store/event-log';"],
  ['packages/event-store/src/canary.ts', "import '@points/runtime/clock';"],
  ['packages/read-model/src/canary.ts', "import '@points/contracts/errors';"],
  ['packages/runtime/src/canary.ts', "import '@points/domain/time';"],
  ['packages/client/src/canary-package.ts', "import '@points/runtime/clock';"],
  ['packages/client/src/canary-vendor.ts', "import 'uuid';"],
  ['packages/audit/src/canary-service.ts', "import '@points/projector/start';"],
  ['packages/audit/src/canary-fold.ts', "import '@points/domain/account/evolve';"],
  ['services/ledger/src/canary.ts', "import '@points/projector/start';"],
  ['services/projector/src/canary.ts', "import '../../../services/ledger/src/start.ts';"],
  ['services/api/src/canary.ts', "import '@points/domain/time';"],
  ['infra/dev-event-store/src/canary.ts', "import '@points/contracts/errors';"],
];

const checks = [
  ['types', ['tsc', '--noEmit']],
  ['lint', ['oxlint', '--type-aware', '--deny-warnings']],
  ['format', ['oxfmt', '--check']],
  ['dead code', ['knip']],
];

const failures = [];
const canaryFailure = await runCanaries();
if (canaryFailure !== null) failures.push('dependency rule');
print('dependency rule', canaryFailure);
await Promise.all(
  checks.map(async ([name, command]) => {
    const { code, output, seconds } = await run(command);
    if (code !== 0) failures.push(name);
    print(name, code === 0 ? null : output, seconds);
  }),
);
process.exitCode = failures.length === 0 ? 0 : 1;

async function runCanaries() {
  const files = CANARIES.map(([file]) => file);
  try {
    await Promise.all(CANARIES.map(([file, text]) => writeFile(`${root}${file}`, `${text}\n`)));
    const { output } = await run(['oxlint', '--format=unix', ...files]);
    const missed = files.filter((file) => !output.includes(`${file}:`));
    return missed.length === 0 ? null : `not found by lint: ${missed.join(', ')}\n${output}`;
  } finally {
    await Promise.all(files.map((file) => rm(`${root}${file}`, { force: true })));
  }
}

function run([binary, ...args]) {
  const startedAt = Date.now();
  return new Promise((resolve, reject) => {
    const child = spawn(`${root}node_modules/.bin/${binary}`, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, output, seconds: (Date.now() - startedAt) / 1000 }),
    );
  });
}

function print(name, problem, seconds) {
  const time = seconds === undefined ? '' : ` ${seconds.toFixed(1)} s`;
  process.stdout.write(
    problem === null ? `ok    ${name}${time}\n` : `FAIL  ${name}${time}\n${problem}\n`,
  );
}
