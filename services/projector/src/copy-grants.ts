import type { ReadTables } from '@points/read-model/tables';
import { sql } from 'kysely';
import type { Transaction } from 'kysely';

/**
 * Gives whoever may use schema `from` and its tables and views the same rights in schema `to`: tables that are made
 * anew would otherwise shut out every role but their owner's.
 */
export async function copyGrants(
  transaction: Transaction<ReadTables>,
  from: string,
  to: string,
): Promise<void> {
  const { rows } = await sql<{ statement: string }>`
    with objects as (
      select 'schema' as kind, quote_ident(${to}) as name, nspowner as owner, nspacl as acl
      from pg_namespace where nspname = ${from}
      union all
      select 'table', format('%I.%I', ${to}::text, old.relname), old.relowner, old.relacl
      from pg_class old
      join pg_class new on new.relname = old.relname and new.relnamespace = ${to}::regnamespace
      where old.relnamespace = ${from}::regnamespace and old.relkind in ('r', 'v', 'm')
    )
    select format(
      'grant %s on %s %s to %s',
      privilege_type, kind, name,
      case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end
    ) as statement
    from objects, aclexplode(acl)
    where grantee <> owner`.execute(transaction);
  for (const { statement } of rows) await sql.raw(statement).execute(transaction);
}
