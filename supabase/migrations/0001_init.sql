-- AI Employee Control Plane: the one schema file (OP-3).
-- Applied once by `aicp db apply`, after the roles anon, authenticated and service_role exist
-- (Supabase has them; elsewhere the apply command makes them). Requests run as `authenticated`
-- with request.jwt.claims set for their transaction; every tenant table forces row security.

create schema if not exists app;
revoke all on schema app from public;
grant usage on schema app to authenticated, service_role;
grant usage on schema public to authenticated, service_role;
-- Supabase lets these roles do anything with whatever is made in public; here each table says who may.
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;

-- Which file built this database, for which login, and what it looked like then: a difference is drift.
create table app.meta (
    only_row boolean primary key default true check (only_row),
    schema_sha256 text not null,
    login text not null,
    fingerprint text not null,
    applied_at timestamptz not null default now()
);
grant select on app.meta to authenticated, service_role;

-- What became of backups and of the drills that restore them; health tells how old the last good ones are.
create table app.backups (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('backup', 'drill')),
    file text not null,
    size_bytes bigint not null check (size_bytes >= 0),
    seconds float8 not null check (seconds >= 0),
    fingerprint text not null,
    problem text not null,  -- empty when it went well
    at timestamptz not null
);
create index backups_recent on app.backups (kind, at desc);
grant select on app.backups to service_role;

-- Who is asking: the claims of the current transaction, null when there are none.
create function app.claims() returns jsonb
language sql stable set search_path = ''
as $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;

create function app.tenant_id() returns uuid
language sql stable set search_path = ''
as $$ select (app.claims() ->> 'tenant_id')::uuid $$;

-- People ---------------------------------------------------------------------------------------

create table public.tenants (
    id uuid primary key,
    slug text not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text not null,
    created_at timestamptz not null
);

create table public.people (
    id uuid primary key,
    tenant_id uuid not null references public.tenants,
    email text not null check (email = lower(email)),
    display_name text not null,
    roles text[] not null check (roles <@ array['operator', 'governance', 'engineering_lead',
        'security_lead', 'database_lead', 'product_partner', 'analytics', 'oncall', 'admin']),
    created_at timestamptz not null,
    disabled_at timestamptz,
    unique (tenant_id, email),
    unique (tenant_id, id)
);

-- Tokens, sessions and one-time login links; only the hash of a secret is ever stored.
create table public.credentials (
    secret_sha256 text primary key check (length(secret_sha256) = 64),
    tenant_id uuid not null references public.tenants,
    person_id uuid not null,
    kind text not null check (kind in ('token', 'session', 'link', 'agent')),
    mission_id text,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    revoked_at timestamptz,
    check ((kind = 'agent') = (mission_id is not null)),
    foreign key (tenant_id, person_id) references public.people (tenant_id, id)
);
create index credentials_person on public.credentials (tenant_id, person_id);

-- Missions -------------------------------------------------------------------------------------

create table public.missions (
    id text primary key,
    tenant_id uuid not null references public.tenants,
    title text not null,
    intent text not null,
    owner_id uuid not null,
    status text not null check (status in ('draft', 'in_progress', 'ready', 'blocked', 'completed', 'archived')),
    current_stage text not null check (current_stage in ('Home', 'Define', 'Prepare', 'Plan', 'Approve', 'Execute', 'Reflect')),
    readiness text not null check (readiness in ('unknown', 'needs_auth', 'needs_data', 'blocked', 'degraded', 'ready')),
    run_state text not null default 'idle' check (run_state in ('idle', 'running', 'paused', 'stopped',
        'failed', 'held', 'finished', 'undoing', 'undone', 'undone_partly', 'undo_stopped')),
    blocking_reason text not null default '',
    priority int not null default 2 check (priority between 0 and 4),
    correlation_id text not null,
    bd_issue text not null default '',
    brain text not null default '',
    brief jsonb,
    brief_version int not null default 0,
    brief_locked_at timestamptz,
    coverage_percent numeric(5, 2) check (coverage_percent between 0 and 100),
    plan_digest text,
    cursor_seq int not null default 0,
    step_count int not null default 0,
    undo_until timestamptz,  -- after it only governance and on-call take things back (TR-18)
    stumbles int not null default 0,  -- tries of the next step that ended before there was a result to keep
    created_at timestamptz not null,
    updated_at timestamptz not null,
    completed_at timestamptz,
    driver text not null default 'self' check (driver in ('self', 'agent')),  -- who makes the approved calls
    offered jsonb,  -- a plan that was handed in, and by whom
    tightenings int not null default 0,  -- rows there are: who waited for this row learns that there are more
    unique (tenant_id, id),
    foreign key (tenant_id, owner_id) references public.people (tenant_id, id)
);
create index missions_recent on public.missions (tenant_id, created_at desc);
create index missions_owner on public.missions (tenant_id, owner_id);

-- An agent's token is for one mission and opens nothing else.
alter table public.credentials add foreign key (tenant_id, mission_id) references public.missions (tenant_id, id);
create index credentials_mission on public.credentials (tenant_id, mission_id);

create table public.mission_stages (
    tenant_id uuid not null,
    mission_id text not null,
    stage text not null check (stage in ('Home', 'Define', 'Prepare', 'Plan', 'Approve', 'Execute', 'Reflect')),
    status text not null check (status in ('pending', 'in_progress', 'ready', 'blocked', 'completed')),
    blocking_reason text not null default '',
    output jsonb,
    started_at timestamptz,
    completed_at timestamptz,
    primary key (mission_id, stage),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id)
);
create index mission_stages_tenant on public.mission_stages (tenant_id, mission_id);

-- Two different people acknowledge the safeguards of one version of the brief (TR-7): both unique
-- constraints together make one person with two hats impossible.
create table public.safeguard_acks (
    tenant_id uuid not null,
    mission_id text not null,
    brief_version int not null,
    person_id uuid not null,
    capacity text not null check (capacity in ('owner', 'governance')),
    acknowledged_at timestamptz not null,
    primary key (mission_id, brief_version, capacity),
    unique (mission_id, brief_version, person_id),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id),
    foreign key (tenant_id, person_id) references public.people (tenant_id, id)
);
create index safeguard_acks_tenant on public.safeguard_acks (tenant_id, person_id);

-- What a mission may reach, with scopes requested, granted and used (TR-4). No secret is here.
create table public.connections (
    tenant_id uuid not null,
    mission_id text not null,
    toolkit text not null,
    account text not null,
    provider text not null default 'local',
    config jsonb not null,
    auth text not null default 'none' check (auth in ('none', 'needed', 'linking', 'active', 'expired',
        'revoked', 'failed')),
    wanted_scopes jsonb not null default '{}',  -- scope -> what it allows, in plain words
    auth_ref text not null default '',  -- the other side's name of the connected account
    failed_scopes text[] not null default '{}',  -- granted, yet a probe could not use them
    resource jsonb,
    problem text not null default '',
    requested_scopes text[] not null default '{}',
    granted_scopes text[] not null default '{}',
    used_scopes text[] not null default '{}',
    inspected_at timestamptz,
    primary key (mission_id, account),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id)
);
create index connections_tenant on public.connections (tenant_id, mission_id);

-- A person's word that a connection may be asked for, with the scopes they saw (TR-2). No consent, no link.
create table public.consents (
    id text primary key,
    tenant_id uuid not null,
    mission_id text not null,
    account text not null,
    scopes text[] not null,
    person_id uuid not null,
    given_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    unique (tenant_id, id),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id),
    foreign key (mission_id, account) references public.connections (mission_id, account),
    foreign key (tenant_id, person_id) references public.people (tenant_id, id)
);
create index consents_mission on public.consents (tenant_id, mission_id);
create index consents_account on public.consents (mission_id, account);
create index consents_person on public.consents (tenant_id, person_id);

-- Connect Links: what was asked, by whose consent, and what became of it (TR-3).
create table public.connect_links (
    id text primary key,
    number bigint generated always as identity,
    tenant_id uuid not null,
    mission_id text not null,
    account text not null,
    consent_id text not null,
    url text not null,
    ref text not null,
    requested_scopes text[] not null,
    granted_scopes text[] not null default '{}',
    status text not null check (status in ('initiated', 'approved', 'expired', 'revoked', 'failed')),
    why text not null default '',
    created_at timestamptz not null,
    expires_at timestamptz not null,
    settled_at timestamptz,
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id),
    foreign key (mission_id, account) references public.connections (mission_id, account),
    foreign key (tenant_id, consent_id) references public.consents (tenant_id, id)
);
create index connect_links_mission on public.connect_links (tenant_id, mission_id);
create index connect_links_consent on public.connect_links (tenant_id, consent_id);
create index connect_links_account on public.connect_links (mission_id, account);
create unique index connect_links_one_open on public.connect_links (mission_id, account) where status = 'initiated';

-- Secrets of connections, sealed with a key that is not in the database (kernel/vault.py).
create table public.secrets (
    id text primary key,
    tenant_id uuid not null references public.tenants,
    name text not null,
    sealed bytea,
    fingerprint text not null,
    created_at timestamptz not null,
    destroyed_at timestamptz,
    check ((sealed is null) = (destroyed_at is not null))
);
create index secrets_tenant on public.secrets (tenant_id);

-- What the Inspector read before planning; the plan is bound to these values.
create table public.inspections (
    tenant_id uuid not null,
    mission_id text not null,
    read_id text not null,
    account text not null,
    tool text not null,
    args jsonb not null,
    purpose text not null,
    result jsonb not null,
    row_count int not null,
    data_version text not null,
    read_at timestamptz not null,
    primary key (mission_id, read_id),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id)
);
create index inspections_tenant on public.inspections (tenant_id, mission_id);

create table public.plays (
    tenant_id uuid not null,
    mission_id text not null,
    rank int not null check (rank between 1 and 3),
    play jsonb not null,
    rehearsal jsonb not null,
    selected_at timestamptz,
    primary key (mission_id, rank),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id)
);
create index plays_tenant on public.plays (tenant_id, mission_id);
create unique index plays_one_selected on public.plays (mission_id) where selected_at is not null;

-- Immutable: the canonical JSON whose digest people approve (TR-10).
create table public.plans (
    digest text not null check (length(digest) = 64),
    tenant_id uuid not null,
    mission_id text not null,
    plan jsonb not null,
    created_at timestamptz not null,
    primary key (mission_id, digest),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id)
);
create index plans_tenant on public.plans (tenant_id, mission_id);

create table public.approvals (
    id text primary key,
    number bigint generated always as identity,  -- the order they were made in
    tenant_id uuid not null,
    mission_id text not null,
    digest text not null,
    risk text not null check (risk in ('low', 'medium_low', 'medium', 'high', 'critical')),
    required text[] not null,
    status text not null check (status in ('requested', 'approved', 'rejected', 'expired', 'voided')),
    status_reason text not null default '',
    requested_by uuid not null,
    requested_at timestamptz not null,
    expires_at timestamptz not null,
    decided_at timestamptz,
    consumed_at timestamptz,
    unique (tenant_id, id),
    check (consumed_at is null or status = 'approved'),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id),
    foreign key (mission_id, digest) references public.plans (mission_id, digest),
    foreign key (tenant_id, requested_by) references public.people (tenant_id, id)
);
create index approvals_mission on public.approvals (tenant_id, mission_id);
create index approvals_digest on public.approvals (mission_id, digest);
create index approvals_requester on public.approvals (tenant_id, requested_by);
create unique index approvals_one_open on public.approvals (mission_id)
    where status = 'requested' or (status = 'approved' and consumed_at is null);

create table public.approval_decisions (
    tenant_id uuid not null,
    approval_id text not null,
    person_id uuid not null,
    capacity text not null check (capacity in ('owner', 'governance', 'lead')),
    decision text not null check (decision in ('approved', 'rejected')),
    digest text not null,
    rationale text not null check (decision = 'approved' or rationale <> ''),
    decided_at timestamptz not null,
    primary key (approval_id, person_id),
    unique (approval_id, capacity),
    foreign key (tenant_id, approval_id) references public.approvals (tenant_id, id),
    foreign key (tenant_id, person_id) references public.people (tenant_id, id)
);
create index approval_decisions_tenant on public.approval_decisions (tenant_id, approval_id);
create index approval_decisions_person on public.approval_decisions (tenant_id, person_id);

-- A capacity handed on to another person, for one request and not further.
create table public.approval_delegations (
    tenant_id uuid not null,
    approval_id text not null,
    capacity text not null check (capacity in ('owner', 'governance', 'lead')),
    from_person uuid not null,
    to_person uuid not null check (to_person <> from_person),
    reason text not null check (reason <> ''),
    delegated_at timestamptz not null,
    primary key (approval_id, capacity),
    foreign key (tenant_id, approval_id) references public.approvals (tenant_id, id),
    foreign key (tenant_id, from_person) references public.people (tenant_id, id),
    foreign key (tenant_id, to_person) references public.people (tenant_id, id)
);
create index approval_delegations_tenant on public.approval_delegations (tenant_id, approval_id);
create index approval_delegations_from on public.approval_delegations (tenant_id, from_person);
create index approval_delegations_to on public.approval_delegations (tenant_id, to_person);

-- Safeguards narrowed or added under a run: they stand beside those of the approval in use (TR-7, TR-10).
create table public.tightenings (
    number bigint generated always as identity primary key,
    tenant_id uuid not null,
    mission_id text not null,
    approval_id text not null,
    safeguard_id text not null,  -- the one it narrows; its own when it was added
    guard jsonb not null,
    reason text not null check (reason <> ''),
    person_id uuid not null,
    tightened_at timestamptz not null,
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id),
    foreign key (tenant_id, approval_id) references public.approvals (tenant_id, id),
    foreign key (tenant_id, person_id) references public.people (tenant_id, id)
);
create index tightenings_mission on public.tightenings (tenant_id, mission_id);
create index tightenings_approval on public.tightenings (tenant_id, approval_id);
create index tightenings_person on public.tightenings (tenant_id, person_id);

-- The journal: an intent row is committed before any effect, its result after it. An intent
-- without a result is unknown and is reconciled by reading back, never blindly retried.
create table public.tool_calls (
    id bigint generated always as identity primary key,
    tenant_id uuid not null,
    mission_id text not null,
    seq int not null,
    purpose text not null check (purpose in ('step', 'release', 'read')),
    key text not null,
    tool text not null,
    account text not null,
    args jsonb not null,
    args_digest text not null,
    mutates boolean not null,
    approval_id text,
    before jsonb not null,
    state text not null check (state in ('intent', 'done', 'failed', 'unknown')),
    outcome jsonb,
    verdicts jsonb not null,
    error text not null default '',
    reconciled boolean not null default false,
    worker text not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    unique (mission_id, key),
    -- I-1: nothing that changes the world is journalled without its approval.
    check (not mutates or approval_id is not null),
    check ((state = 'intent') = (finished_at is null)),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id),
    foreign key (tenant_id, approval_id) references public.approvals (tenant_id, id)
);
create index tool_calls_mission on public.tool_calls (tenant_id, mission_id, seq);
create index tool_calls_approval on public.tool_calls (tenant_id, approval_id);
-- The toolkit whose quota a call uses up. Of mail only what leaves counts: drafts stay here.
create index tool_calls_window on public.tool_calls (tenant_id, (case
    when tool like 'mail.%' and tool not like 'mail.send@%' and purpose = 'step' then ''
    else split_part(tool, '.', 1) end), started_at);

-- A finished journal row never changes again, except that an unknown one may be settled.
create function app.keep_journal() returns trigger
language plpgsql set search_path = ''
as $$
begin
    if old.state in ('done', 'failed') then
        raise exception 'journal row % is final', old.id using errcode = 'restrict_violation';
    end if;
    if (new.args, new.tool, new.account, new.key, new.seq, new.before) is distinct from
       (old.args, old.tool, old.account, old.key, old.seq, old.before) then
        raise exception 'journal row % may only get its result', old.id using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger tool_calls_keep before update on public.tool_calls
    for each row execute function app.keep_journal();

-- Whether a toolkit is well, by tenant: calls that failed in a row, the rest, the one probe (TR-14).
create table public.breakers (
    tenant_id uuid not null references public.tenants,
    toolkit text not null,
    failed int not null default 0,
    resume_at timestamptz,  -- null while it is closed
    probe text not null default '',
    probe_until timestamptz,
    primary key (tenant_id, toolkit),
    check (resume_at is not null or probe = ''),
    check ((probe = '') = (probe_until is null))
);

-- Switches that stop calls at once. One of the whole system is seen, and obeyed, by every tenant.
create table public.kill_switches (
    id text primary key,
    number bigint generated always as identity,
    tenant_id uuid not null references public.tenants,
    scope text not null check (scope in ('mission', 'toolkit', 'tenant', 'system')),
    mission_id text,
    toolkit text not null default '',
    reason text not null check (reason <> ''),
    pulled_by uuid not null,
    pulled_at timestamptz not null,
    lifted_by uuid,
    lifted_at timestamptz,
    lift_reason text not null default '',
    check ((scope = 'mission') = (mission_id is not null)),
    check ((scope = 'toolkit') = (toolkit <> '')),
    check ((lifted_at is null) = (lifted_by is null)),
    check (lifted_at is null or lift_reason <> ''),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id),
    foreign key (tenant_id, pulled_by) references public.people (tenant_id, id),
    foreign key (tenant_id, lifted_by) references public.people (tenant_id, id)
);
create index kill_switches_mission on public.kill_switches (tenant_id, mission_id);
create index kill_switches_pulled_by on public.kill_switches (tenant_id, pulled_by);
create index kill_switches_lifted_by on public.kill_switches (tenant_id, lifted_by);
create unique index kill_switches_one_pulled on public.kill_switches
    (tenant_id, scope, coalesce(mission_id, ''), toolkit) where lifted_at is null;

-- The pulled switch that stops a call, the widest first; null when none does.
create function app.stop(mission text, kit text) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('id', k.id, 'scope', k.scope, 'toolkit', k.toolkit, 'reason', k.reason)
    from public.kill_switches k
    where k.lifted_at is null
      and (k.scope = 'system' or (k.tenant_id = app.tenant_id()
           and (k.scope = 'tenant' or k.mission_id = mission or k.toolkit = kit)))
    order by array_position(array['system', 'tenant', 'toolkit', 'mission'], k.scope), k.number
    limit 1
$$;

-- All that decides a call's turn, in one round trip. Calls of a tenant to a toolkit queue here until
-- their commit, so that a quota and a probe are not given out twice.
create function app.traffic(mission text, kit text, since timestamptz, room int, share int,
    out stop jsonb, out failed int, out resume_at timestamptz, out probe text,
    out probe_until timestamptz, out tenant_mark timestamptz, out mission_mark timestamptz)
language plpgsql set search_path = ''
as $$
begin
    perform pg_catalog.pg_advisory_xact_lock(
        pg_catalog.hashtextextended('traffic:' || app.tenant_id()::text || ':' || kit, 0));
    stop := app.stop(mission, kit);
    select b.failed, b.resume_at, b.probe, b.probe_until into failed, resume_at, probe, probe_until
        from public.breakers b where b.tenant_id = app.tenant_id() and b.toolkit = kit;
    select (array_agg(t.started_at order by t.started_at desc))[room],
           (array_agg(t.started_at order by t.started_at desc) filter (where t.mission_id = mission))[share]
        into tenant_mark, mission_mark
        from public.tool_calls t
        where t.tenant_id = app.tenant_id() and t.started_at > since and kit = (case
            when t.tool like 'mail.%' and t.tool not like 'mail.send@%' and t.purpose = 'step' then ''
            else split_part(t.tool, '.', 1) end);
end $$;

-- Effects that are prepared but have not left yet (T3); a timer job releases each when due.
create table public.holds (
    tenant_id uuid not null,
    mission_id text not null,
    seq int not null,
    due_at timestamptz not null,
    state text not null check (state in ('held', 'released', 'cancelled', 'unknown')),
    settled_at timestamptz,
    primary key (mission_id, seq),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id)
);
create index holds_due on public.holds (due_at) where state = 'held';
create index holds_tenant on public.holds (tenant_id, mission_id);

create table public.undo_runs (
    id text primary key,
    number bigint generated always as identity,
    tenant_id uuid not null,
    mission_id text not null,
    reason text not null,
    requested_by uuid not null,
    to_step int not null default 0 check (to_step >= 0),  -- steps up to this one stay
    dry_run boolean not null default false,  -- tried on copies only
    state text not null check (state in ('running', 'done', 'stopped')),
    requested_at timestamptz not null,
    finished_at timestamptz,
    unique (tenant_id, id),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id),
    foreign key (tenant_id, requested_by) references public.people (tenant_id, id)
);
create index undo_runs_mission on public.undo_runs (tenant_id, mission_id);
create index undo_runs_requester on public.undo_runs (tenant_id, requested_by);
create unique index undo_runs_one_open on public.undo_runs (mission_id) where state = 'running';

create table public.undo_steps (
    tenant_id uuid not null,
    undo_id text not null,
    seq int not null,
    status text not null check (status in ('restored', 'already', 'conflict', 'impossible', 'failed')),
    difference jsonb not null default '[]',
    residue text not null default '',
    why text not null default '',
    undone_at timestamptz not null,
    primary key (undo_id, seq),
    foreign key (tenant_id, undo_id) references public.undo_runs (tenant_id, id)
);
create index undo_steps_tenant on public.undo_steps (tenant_id, undo_id);

-- Denials and surprises: what was tried, which rule said no, and that nothing happened.
-- Tools as connected providers declared them: what policies are validated against, and plans bound to.
create table public.tool_declarations (
    tenant_id uuid not null references public.tenants (id),
    ref text not null check (ref like '%.%@%'),
    name text not null,
    spec jsonb not null,
    seen_at timestamptz not null,
    primary key (tenant_id, ref)
);
create index tool_declarations_name on public.tool_declarations (tenant_id, name, seen_at desc);

-- Values first seen in untrusted content that a person named for a mission (TR-20).
create table public.named_values (
    tenant_id uuid not null,
    mission_id text not null,
    value_digest text not null check (length(value_digest) = 64),
    value text not null,
    person_id uuid not null,
    named_at timestamptz not null,
    primary key (mission_id, value_digest),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id),
    foreign key (tenant_id, person_id) references public.people (tenant_id, id)
);
create index named_values_mission on public.named_values (tenant_id, mission_id);
create index named_values_person on public.named_values (tenant_id, person_id);

create table public.findings (
    id bigint generated always as identity primary key,
    tenant_id uuid not null,
    mission_id text not null,
    rule text not null,
    message text not null,
    facts jsonb not null default '{}',
    found_at timestamptz not null,
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id)
);
create index findings_mission on public.findings (tenant_id, mission_id);

-- Evidence: blobs live in the object store under their SHA-256; these rows name them.
create table public.artifacts (
    id text primary key,
    tenant_id uuid not null,
    mission_id text not null,
    name text not null,
    media_type text not null,
    sha256 text not null check (length(sha256) = 64),
    size_bytes bigint not null check (size_bytes >= 0),
    stage text not null,
    created_at timestamptz not null,
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id)
);
create index artifacts_mission on public.artifacts (tenant_id, mission_id);

create table public.bundles (
    manifest_sha256 text not null check (length(manifest_sha256) = 64),
    tenant_id uuid not null,
    mission_id text not null,
    number bigint generated always as identity,
    occasion text not null check (occasion in ('execution', 'release', 'undo')),
    artifact_count int not null,
    created_at timestamptz not null,
    primary key (mission_id, manifest_sha256),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id)
);
create index bundles_tenant on public.bundles (tenant_id, mission_id);

create table public.feedback (
    tenant_id uuid not null,
    mission_id text not null,
    person_id uuid not null,
    rating int not null check (rating between 1 and 5),
    effort_saved_hours numeric(8, 2) check (effort_saved_hours >= 0),
    notes text not null default '',
    given_at timestamptz not null,
    primary key (mission_id, person_id),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id),
    foreign key (tenant_id, person_id) references public.people (tenant_id, id)
);
create index feedback_tenant on public.feedback (tenant_id, person_id);

-- What a mission leaves to be done: the outbox to the issue graph. A row waits until its issue is there.
create table public.followups (
    id text primary key,
    tenant_id uuid not null,
    mission_id text not null,
    task text not null check (task <> ''),
    priority int not null check (priority between 0 and 4),
    labels text[] not null default '{}',
    requested_by uuid not null,
    status text not null check (status in ('waiting', 'created')),
    bd_issue text,
    attempts int not null default 0,
    problem text not null default '',
    created_at timestamptz not null,
    check ((status = 'created') = (bd_issue is not null)),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id),
    foreign key (tenant_id, requested_by) references public.people (tenant_id, id)
);
create index followups_mission on public.followups (tenant_id, mission_id);
create index followups_person on public.followups (tenant_id, requested_by);

-- Telemetry ------------------------------------------------------------------------------------
-- Partitioned by the day (UTC) of the time a thing happened; app.make_days makes the days ahead. What
-- falls on a day that has no partition waits in the default one, and is reported.

-- The catalogued events. A tenant's ids become visible in their order, and inserting wakes the streams.
create table public.telemetry_events (
    id bigint generated always as identity,
    tenant_id uuid not null references public.tenants,
    event_id uuid not null default gen_random_uuid(),  -- a sender's own, UUIDv7: sending again adds nothing
    mission_id text,
    event_type text not null,
    stage text not null default '',
    status text not null check (status in ('info', 'success', 'warning', 'error')),
    toolkit text not null default '',
    duration_ms float8 check (duration_ms >= 0 and duration_ms < 'infinity'),
    context jsonb not null,
    payload_sha text not null,
    person_id uuid,
    agent_name text not null default '',
    correlation_id text not null,
    trace_id text not null default '' check (trace_id ~ '^([0-9a-f]{32})?$'),
    span_id text not null default '' check (span_id ~ '^([0-9a-f]{16})?$'),
    created_at timestamptz not null,
    primary key (tenant_id, event_id, created_at),
    foreign key (tenant_id, mission_id) references public.missions (tenant_id, id)
) partition by range (created_at);
create index telemetry_events_mission on public.telemetry_events (tenant_id, mission_id, id);
create index telemetry_events_recent on public.telemetry_events (tenant_id, id desc);
create index telemetry_events_type on public.telemetry_events (tenant_id, event_type, created_at);
create index telemetry_events_request on public.telemetry_events (tenant_id, correlation_id) where correlation_id <> '';
create index telemetry_events_time on public.telemetry_events using brin (created_at) with (pages_per_range = 32);

-- Spans and log records as OpenTelemetry has them, already redacted.
create table public.telemetry_spans (
    tenant_id uuid not null references public.tenants,
    trace_id text not null check (trace_id ~ '^[0-9a-f]{32}$'),
    span_id text not null check (span_id ~ '^[0-9a-f]{16}$'),
    parent_span_id text not null default '' check (parent_span_id ~ '^([0-9a-f]{16})?$'),
    name text not null,
    kind text not null check (kind in ('internal', 'server', 'client', 'producer', 'consumer', 'unspecified')),
    service text not null,
    status text not null check (status in ('unset', 'ok', 'error')),
    duration_ms float8 not null check (duration_ms >= 0 and duration_ms < 'infinity'),
    mission_id text not null default '',  -- as the sender says; no such mission need exist
    correlation_id text not null default '',
    attributes jsonb not null,
    events jsonb not null,
    links jsonb not null,
    resource jsonb not null,
    created_at timestamptz not null,  -- when the span began
    primary key (tenant_id, trace_id, span_id, created_at)
) partition by range (created_at);
create index telemetry_spans_name on public.telemetry_spans (tenant_id, name, created_at);
create index telemetry_spans_request on public.telemetry_spans (tenant_id, correlation_id) where correlation_id <> '';
create index telemetry_spans_time on public.telemetry_spans using brin (created_at) with (pages_per_range = 32);

create table public.telemetry_logs (
    tenant_id uuid not null references public.tenants,
    log_id uuid not null,  -- made of the record's content, so that sending again adds nothing
    severity int not null check (severity between 0 and 24),
    severity_text text not null default '',
    event_name text not null default '',
    service text not null,
    body jsonb not null,
    trace_id text not null default '' check (trace_id ~ '^([0-9a-f]{32})?$'),
    span_id text not null default '' check (span_id ~ '^([0-9a-f]{16})?$'),
    mission_id text not null default '',
    correlation_id text not null default '',
    attributes jsonb not null,
    resource jsonb not null,
    created_at timestamptz not null,
    primary key (tenant_id, log_id, created_at)
) partition by range (created_at);
create index telemetry_logs_trace on public.telemetry_logs (tenant_id, trace_id) where trace_id <> '';
create index telemetry_logs_request on public.telemetry_logs (tenant_id, correlation_id) where correlation_id <> '';
create index telemetry_logs_time on public.telemetry_logs using brin (created_at) with (pages_per_range = 32);

-- Events counted by 5 minutes and by hours. A duration falls into a bucket of base 2^(1/8), so that
-- percentiles merge across tenants and times; the exact counts and sums stay exact.
create table public.telemetry_rollup_5m (
    tenant_id uuid not null references public.tenants,
    bucket timestamptz not null,
    event_type text not null,
    toolkit text not null,
    stage text not null,
    status text not null,
    value_bucket int not null,
    n bigint not null check (n > 0),
    sum_ms float8 not null,
    primary key (tenant_id, bucket, event_type, toolkit, stage, status, value_bucket)
);
create index telemetry_rollup_5m_time on public.telemetry_rollup_5m (bucket);

create table public.telemetry_rollup_1h (
    tenant_id uuid not null references public.tenants,
    bucket timestamptz not null,
    event_type text not null,
    toolkit text not null,
    stage text not null,
    status text not null,
    value_bucket int not null,
    n bigint not null check (n > 0),
    sum_ms float8 not null,
    primary key (tenant_id, bucket, event_type, toolkit, stage, status, value_bucket)
);
create index telemetry_rollup_1h_time on public.telemetry_rollup_1h (bucket);

-- Up to when events are counted; what was recorded for a time long before is counted again (late).
create table app.telemetry_watermark (
    only_row boolean primary key default true check (only_row),
    rolled_to timestamptz not null,
    late bigint not null default 0
);
create table app.telemetry_late (
    id bigint generated always as identity primary key,
    bucket timestamptz not null,
    n bigint not null
);
grant select on app.telemetry_watermark to authenticated, service_role;
grant insert, update on app.telemetry_watermark to service_role;
grant select, insert, delete on app.telemetry_late to service_role;

-- The bucket of a duration: (2^((b-1)/8), 2^(b/8)] ms is b. -99999 is a duration of 0, -100000 is none.
create function app.value_bucket(ms float8) returns int
language sql immutable parallel safe set search_path = ''
as $$
    select case when ms is null then -100000 when ms <= 0 then -99999
        else ceil(8 * ln(ms) / ln(2::float8) - 1e-9)::int end
$$;

-- The percentile (0 < part <= 1, nearest rank) of durations counted in buckets, null without any.
-- It answers the geometric middle of the bucket: at most 2^(1/16) - 1 = 4.43 % from the exact one.
create function app.percentile(buckets int[], counts bigint[], part float8) returns float8
language sql immutable parallel safe set search_path = ''
as $$
    with counted as (
        select b, sum(n) as n from unnest(buckets, counts) as c (b, n) where b > -100000 group by b
    ), summed as (
        select b, sum(n) over (order by b) as upto, sum(n) over () as total from counted
    )
    select case when b = -99999 then 0 else power(2::float8, (b - 0.5) / 8) end
    from summed where upto >= ceil(part * total - 1e-9) order by b limit 1
$$;

-- Streams go on from the last id they saw, so a tenant's ids must become visible in their order:
-- whoever records takes turns until its commit. It runs before the rows get their ids.
create function app.take_turns() returns trigger
language plpgsql set search_path = ''
as $$
begin
    perform pg_catalog.pg_advisory_xact_lock(
        pg_catalog.hashtextextended('events:' || coalesce(app.tenant_id()::text, ''), 0));
    return null;
end $$;
create trigger telemetry_events_turns before insert on public.telemetry_events
    for each statement execute function app.take_turns();

-- One wake-up a mission and statement, however many rows it adds: the streams read on by themselves.
create function app.announce_events() returns trigger
language plpgsql set search_path = ''
as $$
begin
    perform pg_catalog.pg_notify('aicp_events', pg_catalog.json_build_object(
        'id', pg_catalog.max(id), 'tenant_id', tenant_id, 'mission_id', mission_id)::text)
    from added group by tenant_id, mission_id;
    return null;
end $$;
create trigger telemetry_events_announce after insert on public.telemetry_events
    referencing new table as added for each statement execute function app.announce_events();

-- An event of a time that is counted already has its 5 minutes counted again.
create function app.mark_late() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into app.telemetry_late (bucket, n)
    select pg_catalog.date_bin('5 minutes', a.created_at, 'epoch'), pg_catalog.count(*)
    from added a where a.created_at < (select rolled_to - interval '10 minutes' from app.telemetry_watermark)
    group by 1;
    return null;
end $$;
create trigger telemetry_events_late after insert on public.telemetry_events
    referencing new table as added for each statement execute function app.mark_late();

-- Make the partition of one day; rows that waited for it in the default partition move in.
create function app.make_partition(parent regclass, day date) returns void
language plpgsql set search_path = '' set timezone = 'UTC'
as $$
declare
    whole text := (select c.relname from pg_catalog.pg_class c where c.oid = parent);
    part text := whole || '_' || pg_catalog.to_char(day, 'YYYYMMDD');
    waiting boolean := false;
begin
    if pg_catalog.to_regclass('public.' || whole || '_rest') is not null then
        execute pg_catalog.format('select exists (select from public.%I where created_at >= %L and created_at < %L)',
            whole || '_rest', day, day + 1) into waiting;
    end if;
    if waiting then
        execute pg_catalog.format('create table public.%I (like public.%I including defaults including constraints)', part, whole);
        execute pg_catalog.format('with moved as (delete from public.%I where created_at >= %L and created_at < %L returning *)'
            ' insert into public.%I select * from moved', whole || '_rest', day, day + 1, part);
        execute pg_catalog.format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
            whole, part, day, day + 1);
    else
        execute pg_catalog.format('create table public.%I partition of public.%I for values from (%L) to (%L)',
            part, whole, day, day + 1);
    end if;
    execute pg_catalog.format('alter table public.%I enable row level security, force row level security', part);
end $$;

-- Make those of some days that are missing; returns how many were.
create function app.make_days(first date, days int) returns int
language plpgsql security definer set search_path = '' set timezone = 'UTC'
as $$
declare
    parent text;
    made int := 0;
begin
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('telemetry days', 0));
    foreach parent in array array['telemetry_events', 'telemetry_spans', 'telemetry_logs'] loop
        for n in 0 .. days - 1 loop
            continue when pg_catalog.to_regclass('public.' || parent || '_' || pg_catalog.to_char(first + n, 'YYYYMMDD')) is not null;
            perform app.make_partition(pg_catalog.to_regclass('public.' || parent), first + n);
            made := made + 1;
        end loop;
    end loop;
    return made;
end $$;

create table public.telemetry_events_rest partition of public.telemetry_events default;
create table public.telemetry_spans_rest partition of public.telemetry_spans default;
create table public.telemetry_logs_rest partition of public.telemetry_logs default;
do $$
declare
    name text;
begin
    -- A partition asked by its own name has no policy: it shows nothing to anybody but its owner.
    foreach name in array array['telemetry_events_rest', 'telemetry_spans_rest', 'telemetry_logs_rest'] loop
        execute format('alter table public.%I enable row level security, force row level security', name);
    end loop;
    perform app.make_days((now() at time zone 'UTC')::date, 8);
end $$;

-- The audit trail ------------------------------------------------------------------------------
-- One chain a mission, and one a tenant for what belongs to none. Records are only ever added: the
-- product's role may insert and read, and whatever else is tried is refused, by whomever.
create table public.audit_log (
    tenant_id uuid not null references public.tenants,
    subject text not null,
    seq bigint not null check (seq > 0),
    entry text not null check (entry <> ''),  -- RFC 8785, as it was hashed
    hash text not null check (length(hash) = 64),
    primary key (tenant_id, subject, seq)
);

-- Number and hash are the database's. The lock makes records of one chain take turns; the last one is
-- looked up by the primary key, for a row of heads that is updated would slow down with each update.
create function app.chain_record() returns trigger
language plpgsql set search_path = ''
as $$
declare
    last record;
begin
    perform pg_catalog.pg_advisory_xact_lock(
        pg_catalog.hashtextextended('audit:' || new.tenant_id::text || ':' || new.subject, 0));
    select a.seq, a.hash into last from public.audit_log a
        where a.tenant_id = new.tenant_id and a.subject = new.subject order by a.seq desc limit 1;
    new.seq := coalesce(last.seq, 0) + 1;
    new.hash := pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
        coalesce(last.hash, pg_catalog.repeat('0', 64)) || E'\n' || new.tenant_id::text || E'\n'
        || new.subject || E'\n' || new.seq::text || E'\n' || new.entry, 'UTF8')), 'hex');
    return new;
end $$;
create trigger audit_log_chain before insert on public.audit_log
    for each row execute function app.chain_record();

create function app.refuse_change() returns trigger
language plpgsql set search_path = ''
as $$
begin
    raise exception 'the audit trail is only ever added to' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_log_keep before update or delete or truncate on public.audit_log
    for each statement execute function app.refuse_change();

-- Seals over the heads of all chains, signed outside the database.
create table app.audit_seals (
    n int primary key check (n > 0),
    text text not null,
    signature text not null,
    sealed_at timestamptz not null default now()
);
comment on table app.audit_seals is 'append-only';
grant select, insert on app.audit_seals to service_role;
-- How far each chain is sealed: what to seal next, and no proof of anything.
create table app.sealed_chains (
    tenant_id uuid not null references public.tenants,
    subject text not null,
    seq bigint not null,
    primary key (tenant_id, subject)
);
grant select, insert, update on app.sealed_chains to service_role;
create trigger audit_seals_keep before update or delete or truncate on app.audit_seals
    for each statement execute function app.refuse_change();

-- How often a play was finished, and how it was rated (planning precedents).
create view public.play_precedents with (security_invoker = true) as
select p.tenant_id,
       p.play ->> 'id' as play_id,
       count(distinct p.mission_id)::int as finished,
       avg(f.rating)::float8 as rating
from public.plays p
join public.missions m on m.id = p.mission_id and m.status = 'completed'
left join public.feedback f on f.mission_id = p.mission_id
where p.selected_at is not null
group by 1, 2;

-- Jobs are committed with the rows they belong to: the queue's own function, in our transaction.
create function app.enqueue(queue text, task text, lock_name text, unique_name text, args jsonb, due timestamptz, priority int)
returns void
language plpgsql security definer set search_path = queue, pg_catalog
as $$
begin
    perform queue.procrastinate_defer_jobs_v1(
        array[row(queue, task, priority, lock_name, unique_name, args, due)]::queue.procrastinate_job_to_defer_v1[]);
exception when unique_violation then
    -- A job of that unique name is already waiting: one is enough.
    null;
end $$;

-- The next job for a worker. The library's own function lets a job that waits for its time hold back
-- every later job of its lock: the expiry of an approval would keep a grant from being taken back for
-- a day. Here only jobs that are due, or running, hold a lock.
create or replace function queue.procrastinate_fetch_job_v2(
    target_queue_names character varying[], p_worker_id bigint
) returns queue.procrastinate_jobs
language plpgsql
as $$
declare
    found_jobs queue.procrastinate_jobs;
begin
    with candidate as (
        select jobs.* from queue.procrastinate_jobs as jobs
        where jobs.status = 'todo'
          and (target_queue_names is null or jobs.queue_name = any (target_queue_names))
          and (jobs.scheduled_at is null or jobs.scheduled_at <= now())
          and not exists (
            select 1 from queue.procrastinate_jobs as others
            where jobs.lock is not null and others.lock = jobs.lock
              and (others.status = 'doing'
                or (others.status = 'todo'
                    and (others.scheduled_at is null or others.scheduled_at <= now())
                    and (others.priority > jobs.priority
                      or (others.priority = jobs.priority and others.id < jobs.id)))))
        order by jobs.priority desc, jobs.id limit 1
        for update of jobs skip locked
    )
    update queue.procrastinate_jobs as taken set status = 'doing', worker_id = p_worker_id
    from candidate where taken.id = candidate.id
    returning taken.* into found_jobs;
    return found_jobs;
end $$;

-- How many workers gave a sign of life lately, for the health page.
create function app.live_workers(seconds int) returns int
language sql security definer stable set search_path = queue, pg_catalog
as $$
    select count(*)::int from queue.procrastinate_workers
    where last_heartbeat > now() - make_interval(secs => seconds)
$$;

-- Row security: a tenant sees its own rows and nothing else, whoever owns the table.
do $$
declare
    name text;
    tenant_column text;
begin
    foreach name in array array['tenants', 'people', 'credentials', 'missions', 'mission_stages',
        'safeguard_acks', 'connections', 'inspections', 'plays', 'plans', 'approvals',
        'approval_decisions', 'tool_calls', 'holds', 'undo_runs', 'undo_steps', 'findings',
        'artifacts', 'bundles', 'feedback', 'followups', 'telemetry_events', 'telemetry_spans', 'telemetry_logs', 'audit_log',
        'consents', 'connect_links', 'secrets', 'approval_delegations', 'breakers', 'kill_switches',
        'tool_declarations', 'named_values', 'tightenings']
    loop
        tenant_column := case name when 'tenants' then 'id' else 'tenant_id' end;
        execute format('alter table public.%I enable row level security', name);
        execute format('alter table public.%I force row level security', name);
        execute format('create policy %I on public.%I for select to authenticated using (%I = (select app.tenant_id()))',
            name || '_read', name, tenant_column);
        if name not in ('tenants', 'people', 'credentials') then
            execute format('create policy %I on public.%I for insert to authenticated with check (%I = (select app.tenant_id()))',
                name || '_add', name, tenant_column);
        end if;
        execute format('grant select, insert, update on public.%I to service_role', name);
    end loop;

    foreach name in array array['missions', 'mission_stages', 'connections', 'inspections', 'plays',
        'approvals', 'tool_calls', 'holds', 'undo_runs', 'feedback', 'followups',
        'consents', 'connect_links', 'secrets', 'approval_delegations', 'breakers', 'kill_switches']
    loop
        execute format('create policy %I on public.%I for update to authenticated using (tenant_id = (select app.tenant_id())) with check (tenant_id = (select app.tenant_id()))',
            name || '_change', name);
        execute format('grant update on public.%I to authenticated', name);
    end loop;

    foreach name in array array['missions', 'mission_stages', 'safeguard_acks', 'connections',
        'inspections', 'plays', 'plans', 'approvals', 'approval_decisions', 'tool_calls', 'holds',
        'undo_runs', 'undo_steps', 'findings', 'artifacts', 'bundles', 'feedback', 'followups', 'telemetry_events', 'audit_log',
        'consents', 'connect_links', 'secrets', 'approval_delegations', 'breakers', 'kill_switches',
        'tool_declarations', 'named_values', 'tightenings']
    loop
        execute format('grant insert on public.%I to authenticated', name);
    end loop;
end $$;
-- What happened, was decided or was sealed is only ever added to, by whatever role of ours.
do $$
declare
    name text;
begin
    foreach name in array array['safeguard_acks', 'plans', 'approval_decisions', 'undo_steps', 'findings',
        'artifacts', 'bundles', 'telemetry_events', 'telemetry_spans', 'telemetry_logs', 'audit_log', 'tool_declarations', 'named_values', 'tightenings']
    loop
        execute format('revoke update on public.%I from service_role', name);
        execute format('comment on table public.%I is %L', name, 'append-only');
    end loop;
end $$;
-- Rollups are read by their tenant and counted by the service alone.
do $$
declare
    name text;
begin
    foreach name in array array['telemetry_rollup_5m', 'telemetry_rollup_1h']
    loop
        execute format('alter table public.%I enable row level security, force row level security', name);
        execute format('create policy %I on public.%I for select to authenticated using (tenant_id = (select app.tenant_id()))',
            name || '_read', name);
        execute format('grant select, insert, delete on public.%I to service_role', name);
    end loop;
end $$;
-- A switch of the whole system shows in every tenant; only the one that pulled it changes it.
create policy kill_switches_everywhere on public.kill_switches for select to authenticated
    using (scope = 'system' and lifted_at is null);
-- Planning again replaces what was read and proposed; nothing else is ever deleted.
create policy plays_drop on public.plays for delete to authenticated using (tenant_id = (select app.tenant_id()));
create policy inspections_drop on public.inspections for delete to authenticated using (tenant_id = (select app.tenant_id()));
grant delete on public.plays, public.inspections to authenticated;
grant select on public.tenants, public.people, public.missions, public.mission_stages,
    public.safeguard_acks, public.connections, public.inspections, public.plays, public.plans,
    public.approvals, public.approval_decisions, public.tool_calls, public.holds, public.undo_runs,
    public.undo_steps, public.findings, public.artifacts, public.bundles, public.feedback, public.followups,
    public.consents, public.connect_links, public.secrets, public.approval_delegations, public.breakers,
    public.kill_switches, public.tool_declarations, public.named_values, public.tightenings,
    public.telemetry_events, public.telemetry_spans, public.telemetry_logs, public.audit_log,
    public.telemetry_rollup_5m, public.telemetry_rollup_1h, public.play_precedents to authenticated;
grant select on public.play_precedents to service_role;

-- service_role signs people in and runs the queue; it bypasses row security by its role attribute.
revoke execute on all functions in schema app from public;
grant execute on function app.claims(), app.tenant_id(), app.live_workers(int), app.stop(text, text),
    app.traffic(text, text, timestamptz, int, int),
    app.enqueue(text, text, text, text, jsonb, timestamptz, int) to authenticated, service_role;
grant execute on function app.value_bucket(float8), app.percentile(int[], bigint[], float8) to authenticated, service_role;
grant execute on function app.make_days(date, int) to service_role;
