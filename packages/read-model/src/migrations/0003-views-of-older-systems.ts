import { sql } from 'kysely';

/**
 * Read-only views with the names and columns of the systems that this ledger takes the place of, for reports that were
 * written for them. Types beyond the ones those systems knew are shown, too: what is left out would not add up.
 */
export const viewsOfOlderSystems = sql`
create view mjk_user_points as
  select id, user_id, balance, total_recharged, total_consumed, total_expired from user_points;

-- amount is positive there; the balances say which way it went.
create view mjk_point_transactions as
  select id, user_id, type, abs(delta) as amount, balance_before, balance_after, source_type, source_id, batch_id,
         duration, description, occurred_at as created_at
  from point_transactions;

create view muey_point_record as
  select record_id as id, user_id, coalesce(actual_amount, amount) as points, biz_type, biz_id, status,
         created_at as create_time, coalesce(settled_at, created_at) as update_time
  from point_holds;

create view credit_transactions as
  select id, user_id, type as transaction_type, delta as credits, balance_after, description, order_no as order_id,
         occurred_at as created_at
  from point_transactions;

create view points_consumption_log as
  select id, user_id, task_no, type as change_type, delta as change_amount, balance_before, balance_after, description,
         duration, occurred_at as create_time
  from point_transactions;
`;
