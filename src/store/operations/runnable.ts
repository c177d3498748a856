import type { RunnableOperation } from '../../domain/operations/operation.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';

/** The columns of an operation by which its run is started and addressed. */
export interface RunnableRow {
  id: Id<'operation'>;
  tenant_id: Id<'tenant'>;
  workflow_id: string;
  interactive: boolean;
  kind: RunnableOperation['kind'];
  state: RunnableOperation['state'];
  control: RunnableOperation['control'];
  control_revision: number;
}

/** Gives such a row the names of the domain. */
export function runnableFrom(row: RunnableRow): RunnableOperation {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    workflowId: row.workflow_id,
    interactive: row.interactive,
    kind: row.kind,
    state: row.state,
    control: row.control,
    controlRevision: row.control_revision,
  };
}
