import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findNatsServer } from './find-nats-server.mjs';

const SCRIPTS = fileURLToPath(new URL('.', import.meta.url));
const LOCK = {
  packages: {
    '': { name: 'clone' },
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/for-another-system': { version: '1.0.0', optional: true },
    'node_modules/@points/domain': { resolved: 'packages/domain', link: true },
    'packages/domain': { name: '@points/domain' },
  },
};
const INSTALLED = {
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/@points/domain': { resolved: 'packages/domain', link: true },
};

let clone: string;
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'points-clone-'));
  cpSync(SCRIPTS, join(clone, 'scripts'), { recursive: true });
  writeFileSync(join(clone, 'package-lock.json'), JSON.stringify(LOCK));
  writeProgram('nats-server');
});
afterEach(() => rmSync(clone, { recursive: true }));

function writeProgram(name: string): string {
  const path = join(clone, name);
  writeFileSync(path, '#!/bin/sh\n');
  chmodSync(path, 0o755);
  return path;
}

function writeInstalled(packages: object): void {
  mkdirSync(join(clone, 'node_modules'), { recursive: true });
  writeFileSync(join(clone, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
}

/** Runs setup with an npm that writes its arguments to a file and then does `npm`. */
function setup(
  npm = '',
  env: Record<string, string> = {},
  nodeArgs: string[] = [],
): SpawnSyncReturns<string> {
  const npmFile = join(clone, 'npm.mjs');
  writeFileSync(
    npmFile,
    `import { appendFileSync } from 'node:fs';
    const command = process.argv[2];
    appendFileSync(${JSON.stringify(join(clone, 'npm-calls'))}, process.argv.slice(2).join(' ') + '\\n');
    ${npm}`,
  );
  return spawnSync(process.execPath, [...nodeArgs, join(clone, 'scripts', 'setup.mjs')], {
    encoding: 'utf8',
    env: {
      ...process.env,
      npm_execpath: npmFile,
      NATS_SERVER: join(clone, 'nats-server'),
      NATS_URL: '',
      ...env,
    },
  });
}

function npmCalls(): string[] {
  const file = join(clone, 'npm-calls');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

describe('setup', () => {
  it('is quiet and quick when nothing is to do', () => {
    writeInstalled(INSTALLED);
    expect(setup()).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(npmCalls()).toEqual([]);
  });

  it.each([
    ['there is no node_modules', undefined],
    [
      'a package is missing',
      { 'node_modules/@points/domain': INSTALLED['node_modules/@points/domain'] },
    ],
    [
      'a package has another version',
      { ...INSTALLED, 'node_modules/a': { version: '0.9.0', integrity: 'sha512-a' } },
    ],
    [
      'a package has other content',
      { ...INSTALLED, 'node_modules/a': { version: '1.0.0', integrity: 'sha512-b' } },
    ],
  ])('runs npm ci when %s', (_name, installed) => {
    if (installed) writeInstalled(installed);
    expect(setup()).toMatchObject({ status: 0, stderr: '' });
    expect(npmCalls()).toEqual(['ci --include=dev --no-audit --no-fund']);
  });

  it('runs npm install when npm ci does not accept the lock file', () => {
    expect(
      setup(`if (command === 'ci') { console.error('npm error code EUSAGE'); process.exit(1); }`)
        .status,
    ).toBe(0);
    expect(npmCalls()).toEqual([
      'ci --include=dev --no-audit --no-fund',
      'install --no-save --include=dev --no-audit --no-fund',
    ]);
  });

  it('fails when npm does, with its reason', () => {
    const run = setup(`console.error('npm error network'); process.exit(1);`);
    expect(run.status).toBe(1);
    expect(run.stderr).toContain(
      'npm error network\npoints-ledger: the packages could not be installed',
    );
    expect(npmCalls()).toHaveLength(1);
  });

  it('refuses a Node that is too old', () => {
    const pretend =
      'data:text/javascript,Object.defineProperty(process, "versions", { value: { node: "20.18.3" } })';
    const run = setup('', {}, ['--import', pretend]);
    expect(run.status).toBe(1);
    expect(run.stderr).toBe(
      'points-ledger: Node 20.19 or later is needed, this is 20.18.3: install a newer one from https://nodejs.org.\n',
    );
    expect(npmCalls()).toEqual([]);
  });

  it('refuses a NATS_SERVER that is not there, and needs none when NATS_URL names a server', () => {
    writeInstalled(INSTALLED);
    const run = setup('', { NATS_SERVER: '/nowhere' });
    expect(run).toMatchObject({
      status: 1,
      stderr:
        'points-ledger: NATS_SERVER names /nowhere, which is not a program: correct it or leave it out.\n',
    });
    expect(setup('', { NATS_SERVER: '/nowhere', NATS_URL: 'nats://there' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });
});

describe('findNatsServer', () => {
  it('takes the program that NATS_SERVER names, else the first on PATH that can be run', () => {
    const path = join(clone, 'nats-server');
    const inPath = { PATH: `/nowhere:${clone}` };
    expect(findNatsServer(inPath)).toBe(path);
    expect(findNatsServer({ ...inPath, NATS_SERVER: writeProgram('other') })).toBe(
      join(clone, 'other'),
    );
    expect(findNatsServer({ ...inPath, NATS_SERVER: '/nowhere' })).toBeNull();
    chmodSync(path, 0o644);
    expect(findNatsServer(inPath)).not.toBe(path);
  });
});
