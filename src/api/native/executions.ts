import { findExecution } from '../../store/execution-reads.ts';
import type { ApiDeps } from '../api-deps.ts';
import { problem } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { ExecutionView, executionView } from './execution-view.ts';
import { idParams } from './fields.ts';

/** Executions, one by one. */
export function executionRoutes({ pool }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/executions/{id}',
      summary: 'Show an execution with its attempts',
      tag: 'Deliveries',
      access: { of: 'tenant', scope: 'read:deliveries' },
      request: { params: idParams('execution', 'Id of the execution.') },
      responses: { 200: { description: 'The execution.', schema: ExecutionView } },
      async handler({ params: { id }, tenant, caller }) {
        const execution = await findExecution(pool, tenant.id, id);
        if (!execution) return problem('not_found');
        return { status: 200, body: executionView(execution, { withBodies: !caller.grant }) };
      },
    }),
  ];
}
