"""A schema with one defect for each rule of the lint, and where each must be found."""

from __future__ import annotations

PLANTED = """
create table public.open_to_all (id int primary key);
create table public.unforced (id int primary key, tenant_id uuid);
alter table public.unforced enable row level security;
create policy unforced_read on public.unforced for select to authenticated using (tenant_id = app.tenant_id());
create policy unforced_also on public.unforced for select to authenticated using (id = 1);
create policy unforced_write on public.unforced for update to authenticated using (true) with check (true);
create policy unforced_loose on public.unforced for update to service_role using (id > 0);
create policy unforced_meta on public.unforced for delete to authenticated
    using (((app.claims() -> 'user_metadata') ->> 'role') = 'admin');
create table public.nobody_sees (id int primary key);
alter table public.nobody_sees enable row level security, force row level security;
create table public.asleep (id int primary key);
create policy asleep_read on public.asleep for select to authenticated using (id = 1);
grant select on public.nobody_sees to authenticated;
grant select on public.asleep to anon;
alter default privileges in schema public grant select on tables to anon;
create table public.audit_of_things (id int primary key, at timestamp);
grant update on public.audit_of_things to service_role;
grant usage on schema queue to authenticated;
grant select on queue.procrastinate_jobs to authenticated;
create function public.everybodys() returns int language sql security definer as $$ select 1 $$;
create view public.past_security as select * from public.missions;
create materialized view public.copied as select id from public.missions;
grant select on public.copied to authenticated;
create table public.keyless (a int, b int references public.open_to_all, c regproc);
create index keyless_one on public.keyless (a);
create index keyless_two on public.keyless (a);
alter table public.keyless add constraint keyless_a check (a > 0) not valid;
create extension citext schema public;
alter table public.tool_calls disable trigger tool_calls_keep;
update pg_index set indisvalid = false where indexrelid = 'public.keyless_two'::regclass;
create function app.broken() returns int language plpgsql set search_path = '' as $$ begin return missing_column; end $$;
"""
# Of the whole server, so made and taken back around the test.
ROLES = """
create role too_mighty login bypassrls createdb inherit; grant service_role to too_mighty;
alter role too_mighty set row_security = off; grant create on schema public to too_mighty;
"""
GONE = "drop owned by too_mighty; drop role too_mighty;"

FOUND = {
    "rls-off": "public.open_to_all",
    "rls-not-forced": "public.unforced",
    "rls-no-policy": "public.nobody_sees",
    "policy-without-rls": "public.asleep",
    "policy-always-true": "public.unforced.unforced_write",
    "policy-without-check": "public.unforced.unforced_loose",
    "policy-per-row-call": "public.unforced.unforced_read",
    "policy-user-metadata": "public.unforced.unforced_meta",
    "policies-overlap": "public.unforced",
    "policy-column-unindexed": "public.unforced.tenant_id",
    "grant-without-policy": "public.nobody_sees",
    "anon-may": "public.asleep",
    "default-privileges-open": "public r",
    "record-may-change": "public.audit_of_things",
    "queue-open": "queue.procrastinate_jobs",
    "definer-open": "public.everybodys()",
    "definer-exposed": "public.everybodys()",
    "view-owner-rights": "public.past_security",
    "matview-open": "public.copied",
    "role-bypasses": "too_mighty",
    "login-too-strong": "too_mighty",
    "login-inherits": "too_mighty",
    "setting-disarms": "too_mighty",
    "no-primary-key": "public.keyless",
    "foreign-key-unindexed": "public.keyless.keyless_b_fkey",
    "index-twice": "keyless_one",
    "time-without-zone": "public.audit_of_things.at",
    "column-unportable": "public.keyless.c",
    "search-path-open": "public.everybodys()",
    "extension-in-public": "citext",
    "constraint-not-valid": "public.keyless.keyless_a",
    "index-invalid": "keyless_two",
    "trigger-off": "public.tool_calls.tool_calls_keep",
    "function-broken": "app.broken()",
}
