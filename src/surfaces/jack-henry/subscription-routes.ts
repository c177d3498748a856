import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { isProblem, problem } from '../../api/problems/problem.ts';
import { idForm, readCursor, writeCursor } from '../../api/requests/cursor.ts';
import { type Route, route } from '../../api/route.ts';
import type { Endpoint } from '../../domain/endpoints/endpoint.ts';
import { listEndpoints } from '../../store/tenancy/endpoints.ts';
import { createEndpoint } from '../native/endpoints/create-endpoint.ts';
import { EndpointView, NewEndpoint } from '../native/endpoints/endpoint-schema.ts';
import { shownTime } from '../native/fields.ts';
import { countParameter } from '../native/page.ts';
import { PATH_IDS, PREFIX } from './fields.ts';
import { jsonAnswer } from './json-answer.ts';
import { errorResponses } from './standard-error.ts';

const MAX_SUBSCRIPTIONS = 1_000;
const PATH = `${PREFIX}/{institutionId}/subscriptions`;

const Subscription = z
  .strictObject({
    subscriptionId: z
      .uuid()
      .meta({ description: 'Id of the subscription.', example: '87654321-4321-4321-4321-210987654321' }),
    name: z
      .string()
      .meta({ description: 'Its name within the institution; it never changes.', example: 'ledger' }),
    url: EndpointView.shape.url,
    eventTypes: EndpointView.shape.eventTypes,
    filter: EndpointView.shape.filter,
    status: z
      .enum(['active', 'inactive'])
      .meta({ description: 'Its status: events are sent to it where it is `active`.', example: 'active' }),
    createdTime: shownTime('When it was made.'),
    updatedTime: shownTime('When it was last changed.'),
  })
  .meta({ id: 'JackHenrySubscription' });

const CreatedSubscription = Subscription.extend({
  secret: z.string().meta({
    description: 'The secret that its requests are signed with. It is shown now and never again.',
    example: 'whsec_…',
  }),
}).meta({ id: 'JackHenryCreatedSubscription' });

const NewSubscription = z
  .strictObject({
    name: NewEndpoint.shape.handle,
    url: NewEndpoint.shape.url,
    eventTypes: NewEndpoint.shape.eventTypes,
    filter: NewEndpoint.shape.filter,
    secret: NewEndpoint.shape.secret,
  })
  .meta({ id: 'JackHenryNewSubscription' });

const Subscriptions = z
  .strictObject({
    subscriptions: z.array(Subscription).meta({ description: 'Subscriptions, oldest first.' }),
    nextPageToken: z
      .string()
      .nullable()
      .meta({ description: 'Where the next page begins; null on the last one.', example: 'WyI1dW1…' }),
  })
  .meta({ id: 'JackHenrySubscriptions' });

/** Subscriptions: listed and made. Everything else about them is in the native API, where they are endpoints. */
export function subscriptionRoutes(deps: ApiDeps): Route[] {
  const tag = 'Jack Henry Modern Eventing';
  const params = z.strictObject({ institutionId: PATH_IDS.institutionId });
  return [
    route({
      tag,
      access: { of: 'tenant', scope: 'read:endpoints' },
      method: 'get',
      path: PATH,
      summary: 'List subscriptions',
      request: {
        params,
        query: z.strictObject({
          pageSize: countParameter(
            1,
            MAX_SUBSCRIPTIONS,
            MAX_SUBSCRIPTIONS,
            'Subscriptions of the page at most.',
          ),
          pageToken: z
            .string()
            .max(1_000)
            .optional()
            .meta({ description: '`nextPageToken` of the page before.', example: 'WyI1dW1…' }),
        }),
      },
      responses: {
        200: { description: 'A page of subscriptions.', schema: Subscriptions },
        ...errorResponses(400, 401, 403, 404, 500),
      },
      async handler({ query: { pageSize, pageToken }, tenant }) {
        const listed = ['jack-henry-subscriptions', tenant.id];
        const position =
          pageToken === undefined ? undefined : readCursor(listed, pageToken, [idForm('endpoint')]);
        if (position && isProblem(position)) return refusedPageToken();
        const rows = await listEndpoints(deps.pool, tenant.id, {
          limit: pageSize + 1,
          ...(position ? { after: position[0] } : {}),
        });
        const shown = rows.slice(0, pageSize);
        const last = shown.at(-1);
        return jsonAnswer({
          subscriptions: shown.map(view),
          nextPageToken: rows.length > pageSize && last ? writeCursor(listed, [last.id]) : null,
        });
      },
    }),
    route({
      tag,
      access: { of: 'tenant', scope: 'write:endpoints' },
      method: 'post',
      path: PATH,
      summary: 'Make a subscription',
      description: 'The answer holds the signing secret, once.',
      request: { params, body: NewSubscription },
      responses: {
        200: { description: 'The subscription, with its secret.', schema: CreatedSubscription },
        ...errorResponses(400, 401, 403, 404, 500),
      },
      async handler({ body: { name, ...asked }, tenant, caller }) {
        const endpoint = { ...asked, ...(name === undefined ? {} : { handle: name }) };
        const made = await createEndpoint(deps, tenant.id, endpoint, caller);
        if (!isProblem(made)) return jsonAnswer({ ...view(made.endpoint), secret: made.secret });
        if (made.problem !== 'handle_taken') return made;
        return problem('handle_taken', {
          errors: [{ pointer: '#/name', code: 'taken', message: 'This name is taken.' }],
        });
      },
    }),
  ];
}

function refusedPageToken() {
  return problem('invalid_cursor', {
    errors: [
      {
        parameter: 'pageToken',
        code: 'wrong_format',
        message: 'Expected the nextPageToken of a page of this list.',
      },
    ],
  });
}

function view({ id, handle, state, config, createdAt, updatedAt }: Endpoint): z.input<typeof Subscription> {
  return {
    subscriptionId: id,
    name: handle,
    url: config.url,
    eventTypes: config.eventTypes ?? null,
    filter: config.filter ?? null,
    status: state === 'enabled' ? 'active' : 'inactive',
    createdTime: createdAt.toISOString(),
    updatedTime: updatedAt.toISOString(),
  };
}
