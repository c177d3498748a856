import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { TEST_TYPE } from '../../../domain/endpoints/event-type.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { testEndpoint } from '../../../ingest/test-endpoint.ts';
import { shownId } from '../fields.ts';
import { nameParams } from '../names.ts';

const EndpointTest = z
  .strictObject({
    eventId: shownId('event', 'The event that was made.'),
    deliveryId: shownId('delivery', 'Its delivery: `GET` it to see what became of it.'),
  })
  .meta({ id: 'EndpointTest' });

/** Tries endpoints by real deliveries. */
export function endpointTestRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/endpoints/{id}/test',
      summary: 'Send a test event to an endpoint',
      description: `Makes an event of the type \`${TEST_TYPE}\` and delivers it to this endpoint, whatever it asks for: signed, paced, recorded and tried again like any other, for a minute. Whatever becomes of it counts for nothing that protects the endpoint, and opens no outage. It is marked \`test\`, and otherwise a delivery like any other.`,
      tag: 'Endpoints',
      access: { of: 'tenant', scope: 'write:endpoints', part: 'edit:endpoints' },
      request: { params: nameParams('endpoint', 'Id or handle of the endpoint.') },
      responses: { 202: { description: 'It is accepted, and on its way.', schema: EndpointTest } },
      problems: ['state_conflict'],
      async handler({ params: { id }, tenant, caller }) {
        const tested = await testEndpoint(deps, tenant.id, id, caller, new Date());
        if (tested.ok)
          return {
            status: 202,
            body: {
              eventId: showId('event', tested.eventId),
              deliveryId: showId('delivery', tested.deliveryId),
            },
          };
        if (tested.state === undefined) return problem('not_found');
        return problem('state_conflict', {
          detail:
            tested.state === 'deleted'
              ? 'The endpoint is deleted.'
              : 'The endpoint is disabled, and takes nothing: enable it first.',
        });
      },
    }),
  ];
}
