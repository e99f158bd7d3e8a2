import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { canonicalJson } from '@points/event-store/canonical-json';
import { afterAll, describe, expect, it } from 'vitest';
import { anchorOf, signAnchor } from '../anchor.ts';
import { TEST_KEY, TEST_PUBLIC_KEY } from '../testing/anchor-key.ts';
import { makeLog } from '../testing/make-log.ts';
import { runVerb } from '../testing/run-verb.ts';
import { inBlocks, inLines } from '../testing/tampered.ts';
import { verify } from '../verify/verify.ts';
import { CannotRunError } from './outcome.ts';
import { verifyCommand } from './verify.ts';

const folder = mkdtempSync(join(tmpdir(), 'verify-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

const lines = inLines([...makeLog({ accounts: 3, events: 200, seed: 2 })]);
const text = `${lines.join('\n')}\n`;
const ledger = file('ledger.ndjson', text);
const key = file('key.pub.pem', TEST_PUBLIC_KEY.export({ type: 'spki', format: 'pem' }));

const verdict = (...args: readonly string[]) => runVerb(verifyCommand(), ...args);

async function anchorFile(): Promise<string> {
  const report = await verify({ lines: () => inBlocks(lines), isFile: true });
  const { root, order, events, streams, last_position: position } = report;
  const unsigned = { ...anchorOf({ position: 0n, events, heads: [head], order }), root, streams };
  const anchor = signAnchor(
    { ...unsigned, position: position ?? '' },
    TEST_KEY,
    '2026-11-26T00:00:00.000Z',
  );
  return file('anchors.ndjson', `${canonicalJson({ ...anchor })}\n`);
}

const head = { stream: 'account-a', revision: 0, hash: '0'.repeat(64) };

describe('verify FILE', () => {
  it('ends with 0 when it holds, plain or gzip, as text or JSON', async () => {
    expect(await verdict(ledger)).toMatch(/^0 HOLDS\n/);
    const json = await verdict(file('ledger.gz', gzipSync(text)), '--json');
    expect(JSON.parse(json.slice(2))).toMatchObject({ report: 'verify', holds: true });
  });

  it('ends with 1 when it does not, and says where', async () => {
    const bad = file('bad', text.replace('"balance_before":0', '"balance_before":1'));
    const said = await verdict(bad);
    expect(said).toMatch(/^1 DOES NOT HOLD\n/);
    expect(said).toMatch(
      /wrong_hash: event 0 of account-user_\d was changed: .* \(line \d+, position \d+\)/,
    );
    expect(await verdict(file('cut', text.slice(0, -100)))).toMatch(
      /^1 DOES NOT HOLD[^]*unreadable_file: line \d+ is cut/,
    );
  });

  it('compares with anchors whose key one was given', async () => {
    const anchors = await anchorFile();
    const with_ = ['--anchor', anchors, '--key', key];
    expect(await verdict(ledger, ...with_)).toMatch(/^0 HOLDS[^]*1 anchor compared/);
    const cut = file('short', `${lines.slice(0, -1).join('\n')}\n`);
    expect(await verdict(cut)).toMatch(/^0 /);
    expect(await verdict(cut, ...with_)).toMatch(/^1 [^]*anchor_differs: the log was cut off/);
    const { publicKey } = generateKeyPairSync('ed25519');
    const other = file('other.pub.pem', publicKey.export({ type: 'spki', format: 'pem' }));
    expect(await verdict(ledger, '--anchor', anchors, '--key', other)).toMatch(
      /^1 [^]*wrong_signature/,
    );
  });

  it.for([
    [[], /give an export or --live/],
    [[ledger, '--live'], /not both/],
    [[join(folder, 'none')], /none does not exist/],
    [[folder], /is not a file/],
    [[file('empty', '')], /no events/],
    [[file('noise', Buffer.from([1, 2, 3, 255]))], /this is no export: line 1 is cut/],
    [[file('prose', '# Title\n\nText\n')], /this is no export: line 1 is not JSON/],
    [[ledger, '--to-position', '7'], /--to-position is for --live/],
    [[ledger, '--key', key], /only with the public key/],
    [[ledger, '--anchor', ledger, '--key', key, '--partial'], /anchors are about the whole ledger/],
    [[ledger, '--anchor', ledger, '--key', key], /line 1 is no anchor/],
    [[ledger, '--anchor', join(folder, 'none'), '--key', key], /does not exist/],
    [[ledger, '--anchor', ledger, '--key', ledger], /is no key|is not a PEM file/],
  ] as const)('%j cannot be run', async ([args, sentence]) => {
    const failed = await verdict(...args).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(CannotRunError);
    expect((failed as Error).message).toMatch(sentence);
  });
});
