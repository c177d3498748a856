-- Why: an endpoint may be told by which of our traces a request was made, where its owner wants that: two companies find the
-- same request in their traces without ids of their own.

alter table endpoint_versions add column traceparent boolean not null default false;
