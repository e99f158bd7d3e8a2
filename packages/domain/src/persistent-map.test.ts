import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type PersistentMap,
  emptyMap,
  mapDelete,
  mapEntries,
  mapGet,
  mapSet,
  mapSize,
  mapValues,
} from './persistent-map.ts';

type Change =
  | { readonly do: 'set'; readonly key: number; readonly value: number }
  | { readonly do: 'delete'; readonly key: number };
/** A change of, or a look at, the n-th version so far. */
type Step = { readonly version: number; readonly change: Change | null };

interface Version {
  readonly map: PersistentMap<number, number>;
  readonly plain: ReadonlyMap<number, number>;
}

const KEYS = 6;
const key = fc.nat(KEYS - 1);
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('set'), key, value: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete'), key }) },
);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({ version: fc.nat(200), change: fc.option(change, { freq: 3 }) }),
  { maxLength: 60, size: 'max' },
);

function isSame({ map, plain }: Version): boolean {
  const entries = mapEntries(map);
  const keys = Array.from({ length: KEYS }, (_, each) => each);
  return (
    mapSize(map) === plain.size &&
    entries.length === plain.size &&
    entries.every(([each, value]) => plain.get(each) === value) &&
    keys.every((each) => mapGet(map, each) === plain.get(each)) &&
    inOrder(mapValues(map)) === inOrder([...plain.values()])
  );
}

function inOrder(values: readonly number[]): string {
  return values.toSorted((a, b) => a - b).join();
}

function changed({ map, plain }: Version, step: Change): Version {
  const copy = new Map(plain);
  if (step.do === 'delete') {
    copy.delete(step.key);
    return { map: mapDelete(map, step.key), plain: copy };
  }
  copy.set(step.key, step.value);
  return { map: mapSet(map, step.key, step.value), plain: copy };
}

describe('persistent map', () => {
  it('every version stays what it was, whichever is read or changed next', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const versions: Version[] = [{ map: emptyMap(), plain: new Map() }];
        for (const step of history) {
          const version = versions[step.version % versions.length];
          if (version === undefined) throw new Error('no version');
          if (step.change === null) expect(isSame(version)).toBe(true);
          else versions.push(changed(version, step.change));
        }
        expect(versions.every(isSame)).toBe(true);
        expect(versions.toReversed().every(isSame)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('deleting what is not there changes nothing', () => {
    const one = mapSet(emptyMap<string, number>(), 'a', 1);
    expect(mapEntries(mapDelete(one, 'b'))).toEqual([['a', 1]]);
    expect(mapEntries(one)).toEqual([['a', 1]]);
  });

  it('empty maps share nothing', () => {
    const [one, other] = [emptyMap<string, number>(), emptyMap<string, number>()];
    mapSet(one, 'a', 1);
    expect(mapSize(other)).toBe(0);
    expect(mapSize(one)).toBe(0);
  });

  it('any text is a key', () => {
    const map = mapSet(emptyMap<string, number>(), '__proto__', 1);
    expect([mapGet(map, '__proto__'), mapGet(map, 'constructor')]).toEqual([1, undefined]);
  });

  it('a chain of a hundred thousand versions is walked without recursion', () => {
    const first = emptyMap<number, number>();
    let last = first;
    for (let i = 0; i < 100_000; i++) last = mapSet(last, i, i);
    expect(mapSize(first)).toBe(0);
    expect(mapSize(last)).toBe(100_000);
  });
});
