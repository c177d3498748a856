-- Why: who asks for what did not succeed means what was ignored or cancelled, or what nobody knows, too. There is little
-- of it, and it must be found without reading the deliveries that succeeded; likewise the events of one batch among all
-- of a tenant.

create index deliveries_rare_by_endpoint on deliveries (endpoint_id, accepted_at, id)
  where state in ('unknown', 'cancelled', 'ignored');

create index events_by_batch on events (tenant_id, ingestion_batch_id, accepted_at, id)
  where ingestion_batch_id is not null;
