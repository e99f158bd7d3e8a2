import { strict as assert } from 'node:assert';
import { replySchema } from '@points/contracts/ledger-replies';
import type { Success } from '@points/contracts/ledger-replies';
import type { Endpoint } from '@points/contracts/ledger-requests';
import { type AccountJournal, type Journal, type Moment, availableAt } from './journal.ts';
import type { Call, Reply } from './network.ts';
import { HOLD_GRACE_MS, type Ledger } from './ledger.ts';

/** Compares what replicas answer with what is durable, at the moment they answer. Throws AssertionError. */
export interface Answers {
  /** A request has reached a replica; the returned function takes its answer. */
  arrived(call: Call, ledger: Ledger): (reply: Reply) => void;
  /** Commands that were answered, each with its first answer. */
  readonly acknowledged: ReadonlyMap<string, { readonly call: Call; readonly reply: Success }>;
  /** Throws when a command is in the log although every answer said that nothing was written. */
  checkRefused(): void;
}

export function createAnswers(journal: Journal): Answers {
  const acknowledged = new Map<string, { call: Call; reply: Success }>();
  /** Attempts that may have written, by command id. */
  const open = new Map<string, number>();

  function checkCommand(call: Call, commandId: string, reply: Reply, knownBefore: boolean): void {
    const { events, commands } = journal.account(call.body.account_id);
    const place = commands.get(commandId);
    if (!reply.ok) {
      const { code, retryable } = reply.error;
      const excused =
        retryable ||
        code === 'command_id_reused' ||
        code === 'command_too_old' ||
        code === 'invalid_argument';
      assert(!knownBefore || excused, `a command in the log was refused: ${code}`);
      return;
    }
    assert.equal(typeof reply.duplicate, 'boolean', 'duplicate');
    const first = acknowledged.get(commandId);
    // Two replicas that decide the same at the same millisecond write the same event, and both are told that it is there.
    if (first === undefined) acknowledged.set(commandId, { call, reply });
    else {
      // A duplicate of what another command did is not remembered: its id is as good as new.
      if (place !== undefined)
        assert.deepEqual(call, first.call, 'other content was answered under the same command id');
      assert.deepEqual(stable(reply), stable(first.reply), 'another answer to the same command');
    }
    assert(place !== undefined || reply.duplicate, 'answered before it was durable');
    const answeredBy = events[reply.account_revision ?? -1];
    assert(answeredBy !== undefined, 'an answer from a revision that is not in the log');
    if (place !== undefined) assert.equal(reply.account_revision, place.last, 'account_revision');
    // Of the whole append in the first answer, of the command in a repeated one.
    if (reply.position !== undefined)
      assert(BigInt(reply.position) >= answeredBy.stored.position, 'position');
    const { balance_after, available_after } = answeredBy.event.data;
    assert.deepEqual(
      [reply.balance?.balance, reply.balance?.available],
      [balance_after, available_after],
      'balance in an answer',
    );
    checkResult(reply, journal.account(call.body.account_id));
  }

  return {
    acknowledged,
    arrived(call, ledger) {
      const { account_id, command_id } = call.body;
      const account = journal.account(account_id);
      const revision = account.events.length - 1;
      const nowMs = ledger.process.clock.now();
      const commandId =
        typeof command_id === 'string' && call.endpoint.startsWith('cmd.') ? command_id : null;
      const knownBefore = commandId !== null && account.commands.has(commandId);
      if (commandId !== null) open.set(commandId, (open.get(commandId) ?? 0) + 1);
      return (reply) => {
        const parsed = shapeOf(call.endpoint).safeParse(reply);
        assert(
          parsed.success,
          `reply of another shape: ${JSON.stringify(reply)} ${parsed.error?.message}`,
        );
        if (commandId !== null) {
          if (!reply.ok && reply.error.applied === 'no')
            open.set(commandId, (open.get(commandId) ?? 0) - 1);
          checkCommand(call, commandId, reply, knownBefore);
        }
        if (!reply.ok && reply.error.code === 'insufficient_points')
          checkShortage(account, revision, nowMs, reply.error.details?.['available']);
        if (reply.ok && call.endpoint === 'qry.balance')
          checkBalance(account, revision, ledger.process.clock.now(), reply);
      };
    },
    checkRefused() {
      for (const accountId of journal.accountIds()) {
        for (const commandId of journal.account(accountId).commands.keys())
          assert.notEqual(open.get(commandId), 0, `${commandId} was refused and is in the log`);
      }
    },
  };
}

const shapes = new Map<Endpoint, ReturnType<typeof replySchema>>();

function shapeOf(endpoint: Endpoint): ReturnType<typeof replySchema> {
  const shape = shapes.get(endpoint) ?? replySchema(endpoint);
  shapes.set(endpoint, shape);
  return shape;
}

/** What must be the same in every answer to a command. */
function stable({ result, balance, account_revision, at }: Success): unknown {
  return { result, balance, account_revision, at };
}

/** The answer tells what the events say. */
function checkResult(reply: Success, account: AccountJournal): void {
  const event = account.events[reply.account_revision ?? -1];
  const own = account.events.filter(
    ({ context }) => context.command_id === event?.context.command_id,
  );
  const { result } = reply;
  for (const {
    event: { type, data },
  } of own) {
    if (type === 'PointsHeld' && 'status' in result && result.status === 'held') {
      assert.equal(result.hold_id, data.hold_id);
      assert.deepEqual(
        { ...result, status: undefined },
        {
          hold_id: data.hold_id,
          record_id: data.record_id,
          task_no: data.task_no,
          status: undefined,
          amount: data.amount,
          charge_mode: data.charge_mode,
          price: data.price,
          expires_at: data.expires_at,
        },
      );
    }
  }
}

/** A refusal for points must rest on durable events: on the state at one revision between request and answer. */
function checkShortage(
  { events }: AccountJournal,
  revision: number,
  nowMs: number,
  told: unknown,
): void {
  const moments: Moment[] = events.slice(Math.max(0, revision)).map(({ after }) => after);
  if (revision < 0) moments.push(NOTHING);
  const possible = moments.map((moment) => {
    const now = latest(new Date(nowMs).toISOString(), moment.at);
    return { available: availableAt(moment, now), moment, now };
  });
  const overdue = possible.some(({ moment, now }) =>
    moment.holdExpiries.some((expiry) => Date.parse(expiry) + HOLD_GRACE_MS <= Date.parse(now)),
  );
  // Overdue holds may be canceled in the look that is told; then there is more.
  const least = Math.min(...possible.map(({ available }) => available));
  if (overdue) assert(Number(told) >= least, 'refused with less than there was');
  else
    assert(
      possible.some(({ available }) => available === told),
      `refused for ${String(told)} points, durable: ${possible.map(({ available }) => available).join()}`,
    );
}

const NOTHING: Moment = { balance: 0, held: 0, debt: 0, free: [], holdExpiries: [], at: '' };

/** A query tells durable state, no older than when it was asked. */
function checkBalance(
  account: AccountJournal,
  revision: number,
  nowMs: number,
  reply: Success,
): void {
  const { result } = reply;
  assert('open_hold_count' in result && reply.balance !== undefined);
  assert(result.revision >= revision, 'an answer older than the question');
  assert(result.revision < account.events.length, 'an answer from events that are not durable');
  const moment = account.events[result.revision]?.after ?? NOTHING;
  const now = latest(new Date(nowMs).toISOString(), moment.at);
  assert.equal(result.available, availableAt(moment, now), 'available in a balance');
  assert.equal(result.debt, moment.debt, 'debt in a balance');
  assert.equal(result.held, moment.held, 'held in a balance');
  assert.equal(result.open_hold_count, moment.holdExpiries.length, 'open holds in a balance');
}

function latest(a: string, b: string): string {
  return a > b ? a : b;
}
