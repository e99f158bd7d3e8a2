import { Command, CommanderError } from 'commander';
import { expect, it } from 'vitest';
import { CannotRunError } from './outcome.ts';
import { pinAt, toPositionOption } from './pin.ts';

const log = { readLastPosition: async () => 700n };
const empty = { readLastPosition: async () => null };

it('pins the end of the log, or an earlier position that is asked for', async () => {
  expect(await pinAt(log, undefined)).toBe(700n);
  expect(await pinAt(log, 0n)).toBe(0n);
  expect(await pinAt(log, 700n)).toBe(700n);
  expect(await pinAt(empty, undefined)).toBeNull();
  await expect(pinAt(log, 701n)).rejects.toThrow(CannotRunError);
  await expect(pinAt(empty, 0n)).rejects.toThrow('it is empty');
});

it('takes a position in decimal, and nothing else', () => {
  const read = (text: string): unknown =>
    new Command()
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .addOption(toPositionOption())
      .parse(['--to-position', text], { from: 'user' })
      .opts()['toPosition'];
  expect(read('18446744073709551615')).toBe(18446744073709551615n);
  for (const wrong of ['-1', '1.5', '0x10', '007', 'end'])
    expect(() => read(wrong), wrong).toThrow(CommanderError);
});
