import { z } from 'zod';
import {
  API_KEY_CREDENTIAL,
  authenticateByKey,
} from '../../../../src/api/authentication/key-authentication.ts';
import { isProblem } from '../../../../src/api/problems/problem.ts';
import { PROBLEMS } from '../../../../src/api/problems/problem-table.ts';
import { route } from '../../../../src/api/route.ts';
import type { Surface } from '../../../../src/api/surface.ts';
import { readId, showId } from '../../../../src/domain/tenancy/typed-id.ts';
import { acceptOperation } from '../../../../src/operations/accept-operation.ts';

/** One more surface: nothing outside this folder knows it, but for the list that it is added to. */
export function createToySurface(): Surface & { choresDone: number } {
  const toy: Surface & { choresDone: number } = {
    name: 'toy',
    title: 'The toy',
    choresDone: 0,
    prefixes: ['/toy'],
    credentials: API_KEY_CREDENTIAL,
    authenticate: authenticateByKey,
    renderProblem: ({ problem: code }) => ({
      status: PROBLEMS[code].status,
      contentType: 'application/json; charset=utf-8',
      body: JSON.stringify({ oops: code }),
    }),
    preset: {
      config: { retry: { maxAttempts: 1, initialMs: 0, factor: 1, capMs: 0 } },
      headers: (deliveryId) => ({ 'x-toy': deliveryId }),
    },
    chores: () => [
      {
        name: 'toy',
        async run() {
          toy.choresDone += 1;
        },
      },
    ],
    routes: (deps) => [
      route({
        method: 'post',
        path: '/toy/again/{delivery}',
        summary: 'Send it again',
        tag: 'Toy',
        access: { of: 'tenant', scope: 'write:deliveries' },
        request: {
          params: z.strictObject({
            delivery: z
              .string()
              .meta({ description: 'The delivery.', example: 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
          }),
        },
        responses: {
          200: {
            description: 'It is accepted.',
            schema: z
              .strictObject({
                operation: z.string().meta({ description: 'Its operation.', example: 'op_1' }),
              })
              .meta({ id: 'ToyAgain' }),
          },
          404: {
            description: 'There is none.',
            schema: z
              .strictObject({ oops: z.string().meta({ description: 'Code.', example: 'not_found' }) })
              .meta({ id: 'ToyOops' }),
          },
        },
        async handler({ params, tenant, caller }) {
          const id = readId('delivery', params.delivery);
          const result = await acceptOperation(deps, {
            tenant,
            caller,
            surface: 'toy',
            kind: 'retry',
            target: 'current',
            selection: { deliveryIds: id === undefined ? [] : [id] },
            options: {},
            render: ({ operation }) => ({ operation: showId('operation', operation.id) }),
          });
          if (result.ok) return { status: 200, json: result.body };
          return isProblem(result) ? result : { problem: 'not_found' };
        },
      }),
    ],
  };
  return toy;
}
