-- Makes the tables of policy/sql_functions_table.c from a server's own catalog. Run by a developer when the parser's
-- major version moves, on a fresh cluster without extensions:  psql -X -At -f sql_functions.sql
-- The result is reviewed, not trusted: the lists below say why a name is in or out against its volatility.
\set QUIET on
create temp table callable as
select p.*, not exists (
         select from unnest(proargtypes::oid[] || p.prorettype) a
         where a in ('internal'::regtype, 'cstring'::regtype, 'trigger'::regtype, 'event_trigger'::regtype)) as by_people
from pg_proc p where pronamespace = 'pg_catalog'::regnamespace;

-- Volatile, but they write nothing and read nothing that a table rule could be about.
create temp table harmless_volatile as select unnest(array[
  'clock_timestamp', 'current_query', 'currval', 'gen_random_uuid', 'lastval', 'pg_blocking_pids',
  'pg_collation_actual_version', 'pg_current_wal_flush_lsn', 'pg_current_wal_insert_lsn', 'pg_current_wal_lsn',
  'pg_database_collation_actual_version', 'pg_database_size', 'pg_indexes_size', 'pg_is_in_recovery',
  'pg_is_wal_replay_paused', 'pg_jit_available', 'pg_last_wal_receive_lsn', 'pg_last_wal_replay_lsn',
  'pg_last_xact_replay_timestamp', 'pg_partition_ancestors', 'pg_partition_tree', 'pg_relation_size',
  'pg_safe_snapshot_blocking_pids', 'pg_sequence_last_value', 'pg_table_size', 'pg_tablespace_size',
  'pg_total_relation_size', 'pg_xact_commit_timestamp', 'pg_xact_status', 'random', 'timeofday', 'txid_status']) as name;

-- Stable or immutable by declaration, but they run SQL from a string, read a table by name, read the server's
-- files and configuration, or show what other sessions do.
create temp table harmful as
select distinct proname as name from callable
where proname ~ '_to_xml(schema|_and_xmlschema)?$'
   or proname ~ '^(ts_stat|ts_rewrite|set_config|lo_|lo(read|write|import|export)|pg_read_|pg_ls_|pg_stat_file|dblink)'
   or proname ~ '^pg_(hba|ident)_|^binary_upgrade|^pg_event_trigger|_validator$|^pg_logical|^pg_replication'
   or proname ~ '^pg_stat_get_(activity|backend_activity|backend_client|progress_info|wal_|ssl|subscription)'
   or proname in ('pg_config', 'pg_show_all_file_settings', 'pg_current_logfile', 'pg_get_backend_memory_contexts',
                  'pg_prepared_xact', 'pg_lock_status', 'pg_tablespace_location', 'pg_relation_filepath',
                  'inet_server_addr', 'inet_server_port', 'pg_notify', 'nextval', 'setval', 'pg_nextoid');

create temp table verdicts as
select proname::text collate "C" as name,
       bool_and(by_people and (provolatile in ('i', 's') or proname in (select name from harmless_volatile)))
         and proname not in (select name from harmful) as harmless
from callable group by proname having bool_or(by_people);

create function pg_temp.as_c(title text, names text[]) returns setof text language sql as $$
  select format('const char *const %s[] = {', title)
  union all select format('    "%s",', n) from unnest(names) n
  union all select '};'
  union all select format('const size_t %s_count = sizeof %s / sizeof %s[0];', title, title, title)
$$;

select '/* Made by sql_functions.sql from PostgreSQL ' || current_setting('server_version_num')::int / 10000
       || ': do not edit. */';
select '#include "policy/sql_functions_table.h"';
select '';
select pg_temp.as_c('sql_harmless_functions', array_agg(name order by name)) from verdicts where harmless;
select '';
select pg_temp.as_c('sql_harmful_functions', array_agg(name order by name)) from verdicts where not harmless;
select '';
select pg_temp.as_c('sql_result_columns', array_agg(distinct name order by name)) from (
  select a.name::text collate "C" from callable, unnest(proargnames, proargmodes) a(name, mode)
  where mode in ('o', 'b', 't') and proname in (select name from verdicts where harmless)
  union select 'ordinality') columns;
