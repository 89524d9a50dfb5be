-- One row an object of this database, as the server itself renders it: class, identity and fields.
-- Read by snapshot.py, which sets search_path = '' (so that every name is written out), the time zone,
-- aicp.login (the product's own login) and aicp.ignored (schemas of a platform). Owner and login are
-- named by what they are, so that two servers with other names for them compare as equal.
with owner as (
    select coalesce((select nspowner from pg_catalog.pg_namespace where nspname = 'app'),
                    (select datdba from pg_catalog.pg_database where datname = current_database())) as oid
), role_name as (
    select r.oid, case when r.oid = o.oid then 'owner'
                       when r.rolname = current_setting('aicp.login') then 'login' else r.rolname end as name
    from pg_catalog.pg_roles r, owner o
    union all select 0, 'public'
), space as (
    select oid, nspname as name, nspowner from pg_catalog.pg_namespace
    where nspname !~ '^pg_' and nspname <> 'information_schema'
      and nspname <> all (string_to_array(current_setting('aicp.ignored'), ','))
), foreign_made as (  -- what an extension brought belongs to the extension
    select classid, objid from pg_catalog.pg_depend where deptype = 'e'
), relation as (
    select c.oid, format('%I.%I', s.name, c.relname) as name, c.relkind as kind, c.relowner, s.oid as spaceid
    from pg_catalog.pg_class c join space s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'c', 'f')
      and not exists (select from foreign_made f where f.classid = 'pg_catalog.pg_class'::regclass and f.objid = c.oid)
), acl as (
    select classid, objid, subid, jsonb_object_agg(name, privileges) as acl
    from (
        select given.classid, given.objid, given.subid, r.name,
               string_agg(distinct a.privilege_type || case when a.is_grantable then '*' else '' end, ' ') as privileges
        from (
            select 'pg_catalog.pg_class'::regclass as classid, c.oid as objid, 0 as subid,
                   coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner)) as list
            from pg_catalog.pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
            union all select 'pg_catalog.pg_class'::regclass, attrelid, attnum, attacl
            from pg_catalog.pg_attribute where attacl is not null
            union all select 'pg_catalog.pg_proc'::regclass, oid, 0, coalesce(proacl, acldefault('f', proowner)) from pg_catalog.pg_proc
            union all select 'pg_catalog.pg_namespace'::regclass, oid, 0, coalesce(nspacl, acldefault('n', nspowner)) from pg_catalog.pg_namespace
            union all select 'pg_catalog.pg_type'::regclass, oid, 0, coalesce(typacl, acldefault('T', typowner)) from pg_catalog.pg_type
            union all select 'pg_catalog.pg_default_acl'::regclass, oid, 0, defaclacl from pg_catalog.pg_default_acl
        ) given, aclexplode(given.list) a join role_name r on r.oid = a.grantee
        group by 1, 2, 3, 4
    ) grouped group by 1, 2, 3
), object as (
    select 'pg_catalog.pg_namespace'::regclass as classid, s.oid as objid, 0 as subid, 'schema' as kind,
           quote_ident(s.name) as name, jsonb_build_object('owner', r.name) as fields
    from space s join role_name r on r.oid = s.nspowner

    union all select 'pg_catalog.pg_class'::regclass, t.oid, 0,
           case t.kind when 'r' then 'table' when 'p' then 'table' when 'v' then 'view' when 'm' then 'materialized view'
                when 'S' then 'sequence' when 'c' then 'composite type' else 'foreign table' end,
           t.name, jsonb_build_object(
               'owner', r.name, 'persistence', nullif(c.relpersistence, 'p'),
               'row_security', case when t.kind in ('r', 'p') then c.relrowsecurity end,
               'forced_row_security', case when t.kind in ('r', 'p') then c.relforcerowsecurity end,
               'options', (select array_agg(o order by o) from unnest(c.reloptions) o),
               'access_method', (select amname from pg_catalog.pg_am a where a.oid = c.relam and amname <> 'heap'),
               'tablespace', (select spcname from pg_catalog.pg_tablespace p where p.oid = c.reltablespace),
               'replica_identity', nullif(c.relreplident, case when t.kind in ('r', 'p', 'm') then 'd' else 'n' end),
               'partitioned_by', case when t.kind = 'p' then pg_get_partkeydef(c.oid) end,
               'inherits', (select array_agg(i.inhparent::regclass::text order by i.inhseqno)
                            from pg_catalog.pg_inherits i where i.inhrelid = c.oid),
               'bound', pg_get_expr(c.relpartbound, c.oid),
               'of_type', (select c.reloftype::regtype::text where c.reloftype <> 0),
               'columns', (select array_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute a
                           where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and t.kind <> 'S'),
               'definition', case when t.kind in ('v', 'm') then pg_get_viewdef(c.oid) end,
               'sequence', case when t.kind = 'S' then (
                   select jsonb_build_object('type', q.seqtypid::regtype::text, 'start', q.seqstart::text, 'increment', q.seqincrement::text,
                          'min', q.seqmin::text, 'max', q.seqmax::text, 'cache', q.seqcache::text, 'cycle', q.seqcycle)
                   from pg_catalog.pg_sequence q where q.seqrelid = c.oid) end,
               'owned_by', case when t.kind = 'S' then (
                   select d.refobjid::regclass::text || '.' || a.attname from pg_catalog.pg_depend d
                   join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
                   where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
                     and d.refclassid = 'pg_catalog.pg_class'::regclass) end)
    from relation t join pg_catalog.pg_class c on c.oid = t.oid join role_name r on r.oid = t.relowner

    union all select 'pg_catalog.pg_class'::regclass, t.oid, a.attnum, 'column', t.name || '.' || quote_ident(a.attname),
           jsonb_build_object(
               'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
               'default', case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
               'generated', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
               'generated_kind', nullif(a.attgenerated, ''),
               'identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end,
               'collation', (select a.attcollation::regcollation::text where a.attcollation <> y.typcollation),
               'storage', nullif(a.attstorage, y.typstorage), 'compression', nullif(a.attcompression, ''),
               'statistics', case when coalesce(a.attstattarget, -1) >= 0 then a.attstattarget end,
               'options', (select array_agg(o order by o) from unnest(a.attoptions) o),
               'local', case when t.kind in ('r', 'p') and not a.attislocal and not exists (
                   select from pg_catalog.pg_inherits i where i.inhrelid = t.oid) then false end)
    from relation t join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type y on y.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where t.kind <> 'S'

    union all select 'pg_catalog.pg_constraint'::regclass, n.oid, 0, 'constraint',
           coalesce(t.name, format('%I.%I', s.name, y.typname)) || '.' || quote_ident(n.conname),
           jsonb_build_object('definition', pg_get_constraintdef(n.oid))
    from pg_catalog.pg_constraint n join space s on s.oid = n.connamespace
    left join relation t on t.oid = n.conrelid left join pg_catalog.pg_type y on y.oid = n.contypid
    where n.contype not in ('n', 't') and n.conparentid = 0 and (t.oid is not null or y.oid is not null)

    union all select 'pg_catalog.pg_class'::regclass, c.oid, 0, 'index', t.name || '.' || quote_ident(c.relname),
           jsonb_build_object('definition', pg_get_indexdef(c.oid), 'invalid', nullif(not i.indisvalid, false),
               'clustered', nullif(i.indisclustered, false), 'replica_identity', nullif(i.indisreplident, false))
    from pg_catalog.pg_index i join relation t on t.oid = i.indrelid join pg_catalog.pg_class c on c.oid = i.indexrelid
    where not exists (select from pg_catalog.pg_constraint n where n.conindid = c.oid and n.contype in ('p', 'u', 'x')
                      and i.indisvalid and not i.indisclustered and not i.indisreplident)

    union all select 'pg_catalog.pg_trigger'::regclass, g.oid, 0, 'trigger', t.name || '.' || quote_ident(g.tgname),
           jsonb_build_object('definition', pg_get_triggerdef(g.oid),
               'enabled', case g.tgenabled when 'O' then 'yes' when 'D' then 'no' when 'R' then 'replica' else 'always' end)
    from pg_catalog.pg_trigger g join relation t on t.oid = g.tgrelid where not g.tgisinternal

    union all select 'pg_catalog.pg_trigger'::regclass, g.oid, 0, 'trigger', t.name || '.' || quote_ident(n.conname),
           jsonb_build_object('definition', 'foreign key action ' || g.tgtype, 'enabled', g.tgenabled)
    from pg_catalog.pg_trigger g join relation t on t.oid = g.tgrelid join pg_catalog.pg_constraint n on n.oid = g.tgconstraint
    where g.tgisinternal and g.tgenabled <> 'O'  -- `disable trigger all` switches foreign keys off as well

    union all select 'pg_catalog.pg_policy'::regclass, p.oid, 0, 'policy', t.name || '.' || quote_ident(p.polname),
           jsonb_build_object(
               'command', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
                                        when 'd' then 'delete' else 'all' end,
               'restrictive', nullif(not p.polpermissive, false),
               'roles', (select array_agg(r.name order by r.name) from role_name r where r.oid = any (p.polroles)),
               'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))
    from pg_catalog.pg_policy p join relation t on t.oid = p.polrelid

    union all select 'pg_catalog.pg_rewrite'::regclass, w.oid, 0, 'rule', t.name || '.' || quote_ident(w.rulename),
           jsonb_build_object('definition', pg_get_ruledef(w.oid), 'enabled', nullif(w.ev_enabled, 'O'))
    from pg_catalog.pg_rewrite w join relation t on t.oid = w.ev_class where w.rulename <> '_RETURN'

    union all select 'pg_catalog.pg_proc'::regclass, f.oid, 0, 'function',
           format('%I.%I(%s)', s.name, f.proname, pg_get_function_identity_arguments(f.oid)),
           jsonb_build_object('owner', r.name, 'definition', pg_get_functiondef(f.oid))
    from pg_catalog.pg_proc f join space s on s.oid = f.pronamespace join role_name r on r.oid = f.proowner
    where f.prokind <> 'a'

    union all select 'pg_catalog.pg_type'::regclass, y.oid, 0,
           case y.typtype when 'e' then 'enum' when 'd' then 'domain' else 'range' end, format('%I.%I', s.name, y.typname),
           jsonb_build_object('owner', r.name,
               'labels', (select array_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = y.oid),
               'type', case when y.typtype = 'd' then format_type(y.typbasetype, y.typtypmod) end,
               'not_null', case when y.typtype = 'd' then y.typnotnull end, 'default', y.typdefault,
               'range', (select jsonb_build_object('of', g.rngsubtype::regtype::text, 'collation', g.rngcollation::regcollation::text,
                                'canonical', g.rngcanonical::text, 'difference', g.rngsubdiff::text, 'operators', g.rngsubopc::text)
                         from pg_catalog.pg_range g where g.rngtypid = y.oid))
    from pg_catalog.pg_type y join space s on s.oid = y.typnamespace join role_name r on r.oid = y.typowner
    where y.typtype in ('e', 'd', 'r')

    union all select 'pg_catalog.pg_extension'::regclass, e.oid, 0, 'extension', quote_ident(e.extname),
           jsonb_build_object('version', e.extversion, 'schema', n.nspname)
    from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    where n.nspname <> all (string_to_array(current_setting('aicp.ignored'), ','))

    union all select 'pg_catalog.pg_default_acl'::regclass, d.oid, 0, 'default privileges',
           concat_ws(' ', r.name, s.name, d.defaclobjtype), '{}'::jsonb
    from pg_catalog.pg_default_acl d join role_name r on r.oid = d.defaclrole left join space s on s.oid = d.defaclnamespace
    where current_setting('aicp.ignored') = ''  -- a platform has its own

    union all select 'pg_catalog.pg_publication'::regclass, p.oid, 0, 'publication', quote_ident(p.pubname),
           jsonb_build_object('owner', r.name, 'all_tables', p.puballtables, 'insert', p.pubinsert, 'update', p.pubupdate,
               'delete', p.pubdelete, 'truncate', p.pubtruncate, 'via_root', p.pubviaroot,
               'tables', (select array_agg(pt.prrelid::regclass::text || coalesce(' (' || pt.prattrs::text || ')', '')
                                           || coalesce(' where ' || pg_get_expr(pt.prqual, pt.prrelid), '') order by 1)
                          from pg_catalog.pg_publication_rel pt where pt.prpubid = p.oid),
               'schemas', (select array_agg(ps.pnnspid::regnamespace::text order by 1)
                           from pg_catalog.pg_publication_namespace ps where ps.pnpubid = p.oid))
    from pg_catalog.pg_publication p join role_name r on r.oid = p.pubowner
    where current_setting('aicp.ignored') = '' or p.pubname !~ '^supabase'

    union all select 'pg_catalog.pg_event_trigger'::regclass, v.oid, 0, 'event trigger', quote_ident(v.evtname),
           jsonb_build_object('owner', r.name, 'event', v.evtevent, 'function', v.evtfoid::regprocedure::text,
               'enabled', v.evtenabled, 'tags', v.evttags)
    from pg_catalog.pg_event_trigger v join role_name r on r.oid = v.evtowner
    join pg_catalog.pg_proc f on f.oid = v.evtfoid join space s on s.oid = f.pronamespace

    union all select 'pg_catalog.pg_authid'::regclass, r.oid, 0, 'role', n.name,
           jsonb_build_object('superuser', r.rolsuper, 'bypassrls', r.rolbypassrls, 'login', r.rolcanlogin,
               'inherit', r.rolinherit, 'createdb', r.rolcreatedb, 'createrole', r.rolcreaterole,
               'replication', r.rolreplication,
               'member_of', (select array_agg(distinct o.name order by o.name) from pg_catalog.pg_auth_members m
                             join role_name o on o.oid = m.roleid where m.member = r.oid),
               'settings', case when current_setting('aicp.ignored') = '' then (
                   select array_agg(o order by o) from pg_catalog.pg_db_role_setting g, unnest(g.setconfig) o
                   where g.setrole = r.oid and g.setdatabase in (
                       0, (select oid from pg_catalog.pg_database where datname = current_database()))) end)
    from pg_catalog.pg_roles r join role_name n on n.oid = r.oid
    where n.name in ('anon', 'authenticated', 'service_role', 'login')

    -- Kinds whose inside is not compared: that one is there, or is gone, still shows.
    union all select o.classid, o.objid, 0, 'unmanaged ' || i.type, i.identity, '{}'::jsonb
    from (
        select 'pg_catalog.pg_proc'::regclass as classid, oid as objid, pronamespace as spaceid
        from pg_catalog.pg_proc where prokind = 'a'
        union all select 'pg_catalog.pg_cast'::regclass, oid, null from pg_catalog.pg_cast
        union all select 'pg_catalog.pg_operator'::regclass, oid, oprnamespace from pg_catalog.pg_operator
        union all select 'pg_catalog.pg_opclass'::regclass, oid, opcnamespace from pg_catalog.pg_opclass
        union all select 'pg_catalog.pg_opfamily'::regclass, oid, opfnamespace from pg_catalog.pg_opfamily
        union all select 'pg_catalog.pg_collation'::regclass, oid, collnamespace from pg_catalog.pg_collation
        union all select 'pg_catalog.pg_conversion'::regclass, oid, connamespace from pg_catalog.pg_conversion
        union all select 'pg_catalog.pg_ts_config'::regclass, oid, cfgnamespace from pg_catalog.pg_ts_config
        union all select 'pg_catalog.pg_ts_dict'::regclass, oid, dictnamespace from pg_catalog.pg_ts_dict
        union all select 'pg_catalog.pg_ts_parser'::regclass, oid, prsnamespace from pg_catalog.pg_ts_parser
        union all select 'pg_catalog.pg_ts_template'::regclass, oid, tmplnamespace from pg_catalog.pg_ts_template
        union all select 'pg_catalog.pg_statistic_ext'::regclass, oid, stxnamespace from pg_catalog.pg_statistic_ext
        union all select 'pg_catalog.pg_foreign_data_wrapper'::regclass, oid, null from pg_catalog.pg_foreign_data_wrapper
        union all select 'pg_catalog.pg_foreign_server'::regclass, oid, null from pg_catalog.pg_foreign_server
        union all select 'pg_catalog.pg_language'::regclass, oid, null from pg_catalog.pg_language
        union all select 'pg_catalog.pg_transform'::regclass, oid, null from pg_catalog.pg_transform
        union all select 'pg_catalog.pg_am'::regclass, oid, null from pg_catalog.pg_am
        union all select 'pg_catalog.pg_subscription'::regclass, oid, null from pg_catalog.pg_subscription
        where subdbid = (select oid from pg_catalog.pg_database where datname = current_database())
        union all select 'pg_catalog.pg_type'::regclass, oid, typnamespace from pg_catalog.pg_type
        where typtype = 'b' and typcategory <> 'A'
    ) o, pg_identify_object(o.classid, o.objid, 0) i
    where o.objid >= 16384 and (o.spaceid is null or o.spaceid in (select oid from space))
      and not exists (select from pg_catalog.pg_depend d where d.classid = o.classid and d.objid = o.objid and d.deptype = 'i')
)
select o.kind || ': ' || o.name,
       jsonb_strip_nulls(o.fields || jsonb_build_object('acl', a.acl, 'comment', d.description))
from object o
left join acl a on (a.classid, a.objid, a.subid) = (o.classid, o.objid, o.subid) and o.kind not in ('index', 'composite type')
left join pg_catalog.pg_description d on (d.classoid, d.objoid, d.objsubid) = (o.classid, o.objid, o.subid)
where not exists (select from foreign_made f where f.classid = o.classid and f.objid = o.objid and o.kind <> 'extension')
order by 1
