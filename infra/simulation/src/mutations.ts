/** A rule of the code broken on purpose, as an edit of its source. */
export interface Mutation {
  readonly name: string;
  readonly edits: readonly {
    readonly file: string;
    /** Stands in the file exactly once. */
    readonly find: string;
    readonly replace: string;
  }[];
}

const ACCOUNT = 'packages/domain/src/account';
const STORE = 'packages/event-store/src';

function mutation(name: string, file: string, find: string, replace: string): Mutation {
  return { name, edits: [{ file, find, replace }] };
}

export const MUTATIONS: readonly Mutation[] = [
  mutation(
    'new points repay no debt',
    `${ACCOUNT}/draft.ts`,
    'eventWith(repayDebts(after, freePoints(after.batches, draft.nowMs)).repaid)',
    'eventWith(repayDebts(after, freePoints(after.batches, draft.nowMs)).repaid.slice(0, 0))',
  ),
  mutation(
    'oldest points are spent first, whenever they expire',
    `${ACCOUNT}/batches.ts`,
    'if (a.expiresMs !== b.expiresMs) {',
    'if (a.createdMs !== b.createdMs) return a.createdMs - b.createdMs;\n  if (a.expiresMs !== b.expiresMs) {',
  ),
  mutation(
    'pinned points count as available',
    `${ACCOUNT}/batches.ts`,
    'available: balance - account.held',
    'available: balance',
  ),
  mutation(
    'expiry takes pinned points, too',
    `${ACCOUNT}/expire.ts`,
    'points: freeOf(batch),',
    'points: batch.remaining,',
  ),
  mutation(
    'what is released goes to another batch',
    `${ACCOUNT}/books.ts`,
    'change(batch_id, 0, -points);\n        held -= points;',
    'change((batches.find((each) => each.pinned >= points) ?? find(batch_id)).batchId, 0, -points);\n        held -= points;',
  ),
  mutation(
    'a tombstone is not remembered',
    `${ACCOUNT}/find-hold.ts`,
    'if (settled !== undefined) return found(settled, draft);',
    'if (settled !== undefined && settled.recordId !== null) return found(settled, draft);',
  ),
  mutation(
    'a repeated command is carried out again',
    `${ACCOUNT}/decide.ts`,
    'if (known !== null) return repeat(known, context);',
    'if (known !== null && known.requestHash !== context.requestHash) return repeat(known, context);',
  ),
  mutation(
    'a forgotten command counts as new',
    `${ACCOUNT}/memory.ts`,
    'return idMs !== null && idMs <= memory.forgottenBeforeMs;',
    'return idMs !== null && idMs < 0 && idMs <= memory.forgottenBeforeMs;',
  ),
  mutation(
    'a late confirm may come twice',
    `${ACCOUNT}/confirm-hold.ts`,
    "outcome.status === 'confirmed' ? outcome : lateConfirm(outcome, command, draft)",
    "outcome.status === 'confirmed' ? outcome : (lateConfirm(outcome, command, draft), null)",
  ),
  mutation(
    'more is refunded than was charged',
    `${ACCOUNT}/refund-charge.ts`,
    'points > refundable) return',
    'points > refundable + 2) return',
  ),
  mutation(
    'a refund undoes the first funding first',
    `${ACCOUNT}/funding.ts`,
    'const last = left.pop();',
    'const last = left.shift();',
  ),
  mutation(
    'a debt has no floor',
    `${ACCOUNT}/settle-hold.ts`,
    'hold.debtFloor ?? MAX_BALANCE',
    'hold.debtFloor === null ? MAX_BALANCE : MAX_BALANCE',
  ),
  mutation(
    'a caller who cancels gets grace',
    `${ACCOUNT}/release-hold.ts`,
    "reason === 'failed' ||",
    "reason === 'failed' || reason === 'caller' ||",
  ),
  mutation(
    'a frozen account takes holds',
    `${ACCOUNT}/hold-points.ts`,
    "if (draft.account.frozen) return refuse('account_frozen');",
    '',
  ),
  mutation(
    'what has expired is owed all the same',
    `${ACCOUNT}/reverse-recharge.ts`,
    'const owed = source.credited - expired;',
    'const owed = source.credited;',
  ),
  mutation(
    'the watermark is ignored',
    `${ACCOUNT}/expire.ts`,
    'Math.min(draft.nowMs, watermarkMs) - limits',
    'draft.nowMs - limits',
  ),
  mutation(
    'time runs backwards with the clock',
    `${ACCOUNT}/draft.ts`,
    'nowMs: Math.max(context.nowMs, account.lastEventMs)',
    'nowMs: context.nowMs',
  ),
  mutation(
    'a charge is rounded down',
    'packages/domain/src/pricing/decimal.ts',
    '(numerator + denominator - 1n) / denominator',
    'numerator / denominator',
  ),
  mutation(
    'the request hash leaves the body out',
    'services/ledger/src/request-hash.ts',
    'canonicalJson({ client, verb, body: rest })',
    "canonicalJson({ client, verb, body: Object.keys(rest).includes('description') ? {} : {} })",
  ),
  mutation(
    'event ids come from the place, not from the content',
    `${STORE}/hash-chain.ts`,
    "const hex = hash('sha1', nameInSpace, 'hex');",
    "const hex = hash('sha1', 'one', 'hex');",
  ),
  mutation(
    'an answer leaves before it is durable',
    `${STORE}/lanes.ts`,
    'const result = await send(lane, plan);',
    'reply(lane, plan, null);\n        const result = await send(lane, { ...plan, answers: [] });',
  ),
  mutation(
    'a conflict counts as written',
    `${STORE}/lanes.ts`,
    "        if (result.outcome === 'appended') {\n          moveTo(lane, { ...plan.head, position: result.position });\n          reply(lane, plan, result.position);",
    '        if (result.outcome.length > 0) {\n          moveTo(lane, plan.head);\n          reply(lane, plan, null);',
  ),
  mutation(
    'a frozen lane tells what it has decided on the way',
    `${STORE}/lanes.ts`,
    '    for (const entry of takeQueue(lane)) {\n      entry.reject(\n',
    '    for (const { entry, appends, answer } of plan.answers) if (!appends) entry.resolve(answer(null));\n    for (const entry of takeQueue(lane)) {\n      entry.reject(\n',
  ),
  mutation(
    'an unknown outcome counts as not written',
    `${STORE}/lanes.ts`,
    "lane.frozen.has(entry.key) ? 'outcome_unknown' : 'store_unavailable'",
    "lane.frozen.has(entry.key) ? 'store_unavailable' : 'store_unavailable'",
  ),
  mutation(
    'refusals and queries do not look at the tail',
    `${STORE}/lanes.ts`,
    'if (plan.needsTail && !fresh && !deps.singleWriter) {',
    'if (plan.needsTail && !fresh && !deps.singleWriter && plan.events.length > 0) {',
  ),
  mutation(
    'a snapshot is believed whatever the log says',
    `${STORE}/lane-head.ts`,
    'if (event.revision !== head.revision || hashOf(event) !== head.hash) break;',
    'head = { ...head, hash: hashOf(event) };',
  ),
  mutation(
    'a damaged snapshot is believed',
    `${STORE}/snapshot-event.ts`,
    'if (damage !== null) throw',
    'if (damage !== null && damage.length === 0) throw',
  ),
  {
    name: 'the projector skips what it has no room for',
    edits: [
      {
        file: 'services/projector/src/inbox.ts',
        find: '      events.push(event);\n      looked = event.position;',
        replace:
          '      if (events.length < batchEvents - 5) events.push(event);\n      looked = event.position;',
      },
    ],
  },
  mutation(
    'the projector skips events',
    'services/projector/src/follow-log.ts',
    'if (last !== null && position <= last) continue;',
    "if (item.kind === 'event' && position % 7n === 0n) continue;",
  ),
  {
    name: 'relays do not say which fact comes before',
    edits: [
      {
        file: 'services/projector/src/relay/relay.ts',
        find: 'await stream.publish(facts, sequence)',
        replace: 'await stream.publish(facts, (await stream.last()).sequence)',
      },
    ],
  },
  mutation(
    'the hash chain is not chained',
    `${STORE}/hash-chain.ts`,
    '    prevHash = eventHash;\n',
    '',
  ),
];
