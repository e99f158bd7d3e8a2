import type { Endpoint, Request } from '@points/contracts/ledger-requests';
import type { Camelized } from './camel-case.ts';

/** The fields of each request, as docs and wire have them but in camelCase; ids that are left out are made up. */
type Fields<Name extends Endpoint> = Camelized<Request<Name>>;
type WithoutIds<Value, Ids extends keyof Value> = Omit<Value, Ids> & Partial<Pick<Value, Ids>>;

export type HoldFields = WithoutIds<Fields<'cmd.hold'>, 'commandId' | 'holdId'>;
export type ConsumeFields = WithoutIds<Fields<'cmd.consume'>, 'commandId'>;
export type ExtendFields = WithoutIds<Fields<'cmd.extend'>, 'commandId'>;
/** Settlements make their command ids themselves: the outbox repeats them. */
export type ConfirmFields = Omit<Fields<'cmd.confirm'>, 'commandId'>;
export type CancelFields = Omit<Fields<'cmd.cancel'>, 'commandId'>;
export type PricingFields = Fields<'qry.price'>;
export type QuoteFields = Fields<'qry.quote'>;
export type BalanceFields = Fields<'qry.balance'>;
export type HoldStateFields = Fields<'qry.hold'>;
export type CommandFields = Fields<'qry.command'>;
