import { GENESIS_HASH } from '@points/event-store/hash-chain';
import { describe, expect, it } from 'vitest';
import { type ChainLink, createStreamChains, type StreamChainsOptions } from './stream-chains.ts';

const hashes = Array.from({ length: 9 }, (_, n) => String(n).repeat(64));
const hashAt = (revision: number) => (revision < 0 ? GENESIS_HASH : (hashes[revision] ?? ''));
const link = (revision: number, changes: Partial<ChainLink> = {}): ChainLink => ({
  stream: 'account-u1',
  revision,
  position: BigInt(revision * 10),
  prev_hash: hashAt(revision - 1),
  hash: hashAt(revision),
  ...changes,
});
const found = (links: readonly ChainLink[], options?: StreamChainsOptions) => {
  const chains = createStreamChains(options);
  return links.flatMap((one) => {
    const finding = chains.add(one);
    return finding === null ? [] : [`${finding.kind}@${finding.revision}`];
  });
};

describe('stream chains', () => {
  it('finds nothing in whole streams, however they are mixed, and knows their heads', () => {
    const chains = createStreamChains();
    const other = { stream: 'account-A' };
    for (const one of [link(0), link(0, other), link(1), link(2), link(1, other)]) {
      expect(chains.add(one)).toBeNull();
    }
    expect(chains.heads()).toEqual([
      { stream: 'account-A', revision: 1, hash: hashAt(1) },
      { stream: 'account-u1', revision: 2, hash: hashAt(2) },
    ]);
  });

  it.each([
    ['removed', [link(0), link(3), link(4)], ['missing_events@3']],
    ['first removed', [link(1), link(2)], ['missing_events@1']],
    ['twice', [link(0), link(1), link(1), link(2)], ['repeated_event@1']],
    ['an old one again', [link(0), link(1), link(2), link(0), link(3)], ['repeated_event@0']],
    ['exchanged', [link(0), link(2), link(1), link(3)], ['missing_events@2', 'repeated_event@1']],
    [
      'changed with its hash',
      [link(0), link(1, { hash: 'f'.repeat(64) }), link(2), link(3)],
      ['broken_chain@2'],
    ],
    ['no genesis', [link(0, { prev_hash: hashAt(5) }), link(1)], ['broken_chain@0']],
  ])('%s: told once', (_, links, expected) => {
    expect(found(links)).toEqual(expected);
  });

  it('lets a part of the log begin late, and only begin', () => {
    expect(found([link(3), link(4), link(6)], { mayBeginLate: true })).toEqual([
      'missing_events@6',
    ]);
  });

  it('says where and what', () => {
    expect(createStreamChains().add(link(2, { line: 7 }))).toEqual({
      kind: 'missing_events',
      stream: 'account-u1',
      revision: 2,
      position: '20',
      line: 7,
      message: 'event 2 of account-u1 follows a gap: revisions 0 to 1 are missing',
    });
  });
});
