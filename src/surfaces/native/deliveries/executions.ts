import type { ApiDeps } from '../../../api/api-deps.ts';
import { problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { findExecution } from '../../../store/reading/execution-reads.ts';
import { waitsOfExecutions } from '../../../store/reading/waits.ts';
import { idParams } from '../fields.ts';
import { ExecutionView, executionView } from './execution-view.ts';

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
        const waits = (await waitsOfExecutions(pool, [id])).get(id);
        return { status: 200, body: executionView(execution, { withBodies: !caller.grant, waits }) };
      },
    }),
  ];
}
