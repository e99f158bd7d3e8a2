import { Command, CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { balanceCommand } from './balance.ts';
import { explainCommand } from './explain.ts';
import { CannotRunError } from './outcome.ts';
import { statementCommand } from './statement.ts';
import { trialBalanceCommand } from './trial-balance.ts';

const VERBS = [balanceCommand, statementCommand, explainCommand, trialBalanceCommand];

/** What a verb says, run in this process; none of these gets as far as the log. */
async function said(args: readonly string[]): Promise<{ out: string; error: unknown }> {
  let out = '';
  const root = new Command('audit');
  for (const verb of VERBS) root.addCommand(verb());
  for (const command of [root, ...root.commands])
    command.exitOverride().configureOutput({
      writeOut: (text) => void (out += text),
      writeErr: (text) => void (out += text),
    });
  const error = await root
    .parseAsync([...args], { from: 'user' })
    .catch((reason: unknown) => reason);
  return { out, error };
}

describe('the reports on the command line', () => {
  it.each(VERBS.map((verb) => verb().name()))(
    '%s --help describes it, with examples',
    async (verb) => {
      const { out, error } = await said([verb, '--help']);
      expect(error).toMatchObject({ exitCode: 0 });
      expect(out).toContain('--json');
      expect(out).toContain('Examples:');
      for (const option of VERBS.map((each) => each()).find((each) => each.name() === verb)
        ?.options ?? [])
        expect(option.description, option.flags).not.toBe('');
    },
  );

  it.each([
    [['balance', 'no id'], /An account id is/],
    [['balance', 'u1', '--as-of', 'yesterday'], /a time with its zone/],
    [['statement', 'u1', '--format', 'xlsx'], /Allowed choices are csv, json, html/],
    [['statement', 'u1', '--lang', 'fr'], /Allowed choices are zh, en/],
    [['trial-balance', '--by', 'week'], /Allowed choices are none, day, source/],
    [['trial-balance', '--from', 'january'], /--from <time>.*a time with its zone/],
    [['explain'], /missing required argument 'id'/],
  ])('%j: one sentence', async (args, sentence) => {
    const { out, error } = await said(args);
    expect(error).toBeInstanceOf(CommanderError);
    expect(error).not.toMatchObject({ exitCode: 0 });
    expect(out).toMatch(sentence);
  });

  it.each([
    [['statement', 'u1', '--from', '2026-02-01', '--to', '2026-01-01'], '--from is after --to'],
    [['trial-balance', '--from', '2026-02-01', '--as-of', '2026-01-31'], '--from is after --as-of'],
  ])('%j ends before it begins: refused before anything is read', async (args, sentence) => {
    const { error } = await said(args);
    expect(error).toBeInstanceOf(CannotRunError);
    expect(error).toMatchObject({ message: expect.stringContaining(sentence) });
  });
});
