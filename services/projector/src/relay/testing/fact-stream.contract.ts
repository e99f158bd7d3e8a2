import type { Fact } from '@points/contracts/facts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FactStreamError } from '../fact-stream.ts';
import type { FactStream } from '../fact-stream.ts';
import { createFacts } from './facts.ts';

export interface FactStreamUnderTest {
  readonly stream: FactStream;
  /** A second handle on the same stream, as another relay has. */
  readonly other: FactStream;
  /** What the stream holds, the oldest first. */
  stored(): Promise<readonly Fact[]>;
  /** Drops every fact for its age. */
  expireAll(): Promise<void>;
  /** Takes the stream away, and gives it back as it was. */
  setDown(down: boolean): Promise<void>;
  stop(): Promise<void>;
}

/** What every `FactStream` does, run unchanged on each implementation. */
export function describeFactStream(name: string, setUp: () => Promise<FactStreamUnderTest>): void {
  describe(`stream of facts: ${name}`, () => {
    let subject: FactStreamUnderTest;
    let facts: ReturnType<typeof createFacts>;

    beforeEach(async () => {
      subject = await setUp();
      facts = createFacts();
    });
    afterEach(() => subject.stop());

    it('is empty at first', async () => {
      expect(await subject.stream.last()).toEqual({ sequence: 0, fact: null });
    });

    it('keeps the facts as they are and in order, and knows the last one', async () => {
      const some = facts.next(3);
      expect(await subject.stream.publish(some, 0)).toBe('published');
      expect(await subject.stored()).toEqual(some);
      expect(await subject.stream.last()).toEqual({ sequence: 3, fact: some[2] });
      const more = facts.next(2);
      expect(await subject.stream.publish(more, 3)).toBe('published');
      expect(await subject.stored()).toEqual([...some, ...more]);
    });

    it('keeps any number in order', async () => {
      const many = facts.next(1_000);
      expect(await subject.stream.publish(many, 0)).toBe('published');
      expect(await subject.stored()).toEqual(many);
    });

    it('keeps a fact as large as an event can be', async () => {
      const [fact] = facts.next(1);
      if (fact === undefined) throw new Error('no fact');
      const large = { ...fact, data: { ...fact.data, text: 'x'.repeat(512 * 1_024) } };
      expect(await subject.stream.publish([large], 0)).toBe('published');
      expect(await subject.stored()).toEqual([large]);
    });

    it.each([0, 2, 4])('adds nothing when three were expected to be %i', async (expected) => {
      const some = facts.next(3);
      await subject.stream.publish(some, 0);
      expect(await subject.stream.publish(facts.next(1), expected)).toBe('moved');
      expect(await subject.stored()).toEqual(some);
      expect((await subject.stream.last()).sequence).toBe(3);
    });

    it('takes the same facts at the same place as no addition', async () => {
      const some = facts.next(5);
      await subject.stream.publish(some.slice(0, 3), 0);
      expect(await subject.other.publish(some.slice(0, 3), 0)).toBe('published');
      expect(await subject.other.publish(some, 0)).toBe('published');
      expect(await subject.stored()).toEqual(some);
    });

    it('takes a fact at one place only', async () => {
      const some = facts.next(3);
      await subject.stream.publish(some, 0);
      expect(await subject.stream.publish(some.slice(0, 1), 3)).toBe('moved');
      expect(await subject.stored()).toEqual(some);
    });

    it('keeps one fact of each number when two write different ones at the same time', async () => {
      const [ours, theirs] = [facts.next(50), facts.next(50)];
      const results = await Promise.all([
        subject.stream.publish(ours, 0),
        subject.other.publish(theirs, 0),
      ]);
      expect(results).toContain('moved');
      const stored = await subject.stored();
      expect(stored.length).toBeGreaterThan(0);
      stored.forEach((fact, index) => expect([ours[index], theirs[index]]).toContainEqual(fact));
    });

    it('keeps one copy when two write the same ones at the same time', async () => {
      const some = facts.next(300);
      const results = await Promise.all([
        subject.stream.publish(some, 0),
        subject.other.publish(some, 0),
      ]);
      expect(results).toEqual(['published', 'published']);
      expect(await subject.stored()).toEqual(some);
    });

    it('counts on after all facts were dropped for their age', async () => {
      const some = facts.next(4);
      await subject.stream.publish(some, 0);
      await subject.expireAll();
      expect(await subject.stream.last()).toEqual({ sequence: 4, fact: null });
      const more = facts.next(1);
      expect(await subject.stream.publish(more, 0)).toBe('moved');
      expect(await subject.stream.publish(more, 4)).toBe('published');
      expect(await subject.stored()).toEqual(more);
    });

    it('says when it cannot be reached, and goes on afterwards', async () => {
      const some = facts.next(2);
      await subject.stream.publish(some, 0);
      await subject.setDown(true);
      const more = facts.next(2);
      await expect(subject.stream.publish(more, 2)).rejects.toThrow(FactStreamError);
      await expect(subject.stream.last()).rejects.toThrow(FactStreamError);
      await subject.setDown(false);
      await expect
        .poll(() => subject.stream.publish(more, 2).catch(() => 'down'), { timeout: 20_000 })
        .toBe('published');
      expect(await subject.stored()).toEqual([...some, ...more]);
    });
  });
}
