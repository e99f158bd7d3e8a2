import { createHash, createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { anchorOf, signAnchor } from './anchor.ts';
import { checkAccountLines } from './check-account-lines.ts';
import type { LineBlock } from './export-file.ts';
import type { StreamHead } from './heads.ts';
import { checkProof, type HeadProof, proveHead, readProof } from './prove.ts';
import { OTHER_KEY, TEST_KEY, TEST_PUBLIC_KEY } from './testing/anchor-key.ts';
import { canonicalJson } from '@points/event-store/canonical-json';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';

const sha256 = (...parts: readonly (string | Buffer)[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

function proofAmong(size: number, index: number): HeadProof {
  const heads = Array.from({ length: size }, (_, number): StreamHead => ({
    stream: `account-${String(number).padStart(3, '0')}`,
    revision: number,
    hash: sha256(String(number)).toString('hex'),
  }));
  const order = sha256('order').toString('hex');
  const extent = { position: 1042n, events: 99, heads, order };
  const anchor = signAnchor(anchorOf(extent), TEST_KEY, '2026-11-20T06:00:00.000Z');
  const proof = proveHead(heads.toReversed(), heads[index]?.stream ?? '', anchor);
  if (proof === null) throw new Error('no proof');
  return proof;
}

/** RFC 9162 §2.1.3.2 and RFC 8032, from the standards and the public key alone. */
function holdsForThirdParty(json: string, publicKeyPem: string): boolean {
  const { anchor, head, index, size, path } = JSON.parse(json) as HeadProof;
  const { signature, ...signed } = anchor;
  const text = JSON.stringify(signed, Object.keys(signed).toSorted());
  const key = createPublicKey(publicKeyPem);
  if (!verify(null, Buffer.from(text), key, Buffer.from(signature, 'hex'))) return false;
  let [fn, sn] = [index, size - 1];
  let r = sha256('\0', JSON.stringify(head, ['hash', 'revision', 'stream']));
  for (const p of path.map((each) => Buffer.from(each, 'hex'))) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      r = sha256('\x01', p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    } else {
      r = sha256('\x01', r, p);
    }
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  return sn === 0 && size === anchor.streams && r.toString('hex') === anchor.root;
}

const PEM = TEST_PUBLIC_KEY.export({ type: 'spki', format: 'pem' }).toString();
const proof = proofAmong(7, 4);

describe('a proof', () => {
  it('of any stream among any number holds, for us and for a third party', () => {
    for (let size = 1; size <= 17; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const json = JSON.stringify(proofAmong(size, index));
        expect(checkProof(readProof(json) as HeadProof, TEST_PUBLIC_KEY)).toBeNull();
        expect(holdsForThirdParty(json, PEM)).toBe(true);
      }
    }
  });

  it('is not made of a stream that is not there', () => {
    expect(proveHead([proof.head], 'account-nobody', proof.anchor)).toBeNull();
  });

  it.each<[string, HeadProof, RegExp]>([
    ['another revision', { ...proof, head: { ...proof.head, revision: 9 } }, /^the path leads/],
    [
      'another stream',
      { ...proof, head: { ...proof.head, stream: 'account-x' } },
      /^the path leads/,
    ],
    ['another hash', { ...proof, head: { ...proof.head, hash: GENESIS_HASH } }, /^the path leads/],
    ['another place', { ...proof, index: 5 }, /^the path leads/],
    ['another size', { ...proof, size: 8 }, /^the proof speaks of 8 streams, the anchor of 7/],
    ['a shorter path', { ...proof, path: proof.path.slice(1) }, /^the path has not the length/],
    [
      'another step',
      { ...proof, path: proof.path.with(1, GENESIS_HASH) },
      /^the path leads from revision 4 of account-004 to the root/,
    ],
    [
      'a root of its own',
      { ...proof, anchor: { ...proof.anchor, root: GENESIS_HASH } },
      /^the anchor at position 1042 was not signed/,
    ],
  ])('with %s does not hold', (_, changed, message) => {
    expect(checkProof(changed, TEST_PUBLIC_KEY)?.message).toMatch(message);
    expect(holdsForThirdParty(JSON.stringify(changed), PEM)).toBe(false);
  });

  it('does not hold under another key', () => {
    expect(checkProof(proof, createPublicKey(OTHER_KEY))?.kind).toBe('wrong_signature');
  });

  it.each([
    ['nothing', '', 'is not JSON'],
    ['something else', '[]', /is no proof: it /],
    ['a field more', JSON.stringify({ ...proof, trust: 'me' }), /trust is not a known field/],
    ['no anchor', JSON.stringify({ ...proof, anchor: null }), /is no proof: anchor /],
    ['a bad step', JSON.stringify({ ...proof, path: ['x'] }), /path\.0 must be 64 hex digits/],
  ])('cannot be read from %s', (_, text, problem) => {
    expect(readProof(text)).toEqual({ problem: expect.stringMatching(problem) });
  });
});

async function* blocksOf(texts: readonly (string | Buffer)[]): AsyncGenerator<LineBlock, void> {
  for (const [index, text] of texts.entries()) {
    const bytes = Buffer.from(text);
    yield { bytes, ends: [bytes.length], firstLine: index + 1, share: 1 };
  }
}

describe('the events that a proof speaks of', () => {
  const stream = 'account-u1';
  const draft = { type: 'PointsCounted', data: { points: 1 }, metadata: { command_id: 'c' } };
  const events = chainEvents(stream, 0, GENESIS_HASH, [draft, draft, draft]);
  const lines = events.map((event, revision) =>
    canonicalJson({ ...event, stream, revision, position: String(revision * 10) }),
  );
  const headAt = (revision: number): StreamHead => ({
    stream,
    revision,
    hash: events[revision]?.metadata['hash'] ?? '',
  });
  const check = (texts: readonly (string | Buffer)[], head = headAt(2)) =>
    checkAccountLines(blocksOf(texts), head);

  it('are those of the head, all of them', async () => {
    expect(await check(lines)).toEqual({ problem: null, events: 3 });
  });

  it('are counted up to the first one that is wrong', async () => {
    const [first = '', second = ''] = lines;
    expect((await check([first, second, '{}'])).events).toBe(2);
    expect((await check([first, second])).events).toBe(2);
    expect((await check([])).events).toBe(0);
  });

  it.each<[string, readonly (string | Buffer)[], RegExp, StreamHead?]>([
    ['none', [], /^the events end at none, the proof covers revisions 0 to 2$/],
    ['the last one missing', lines.slice(0, 2), /^the events end at revision 1/],
    ['the first one missing', lines.slice(1), /^line 1: .*revision 0 is missing/],
    ['one of another account', [lines[0]?.replace(stream, 'account-u2') ?? ''], /^line 1 /],
    [
      'a changed one',
      [lines[0] ?? '', lines[1]?.replace('"points":1', '"points":2') ?? ''],
      /^line 2 was changed/,
    ],
    [
      'more than the proof covers',
      lines,
      /^line 2 is revision 1, behind what the proof covers/,
      headAt(0),
    ],
    [
      'others',
      lines,
      /the proof has 0+: an event up to there is another one/,
      { ...headAt(2), hash: GENESIS_HASH },
    ],
    ['no events', ['{}'], /^line 1 has no/],
    ['no text', [Buffer.from([0xff])], /^line 1 is not UTF-8$/],
  ])('with %s are not', async (_, texts, problem, head) => {
    expect((await check(texts, head)).problem).toMatch(problem);
  });
});
