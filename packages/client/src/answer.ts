import type { Endpoint } from '@points/contracts/ledger-requests';
import type { Success } from '@points/contracts/ledger-replies';
import { type Camelized, camelized } from './camel-case.ts';

/** The ledger's reply, without its `ok`: a no is thrown as LedgerRefused. */
export type Answer<Name extends Endpoint> = Camelized<Omit<Success<Name>, 'ok'>>;

export function toAnswer<Name extends Endpoint>(reply: Success<Name>): Answer<Name> {
  const { ok: _, ...rest } = reply;
  return camelized(rest);
}
