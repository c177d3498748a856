import { z } from 'zod';
import type { ApiDeps } from './api-deps.ts';
import { metricsText } from './operator-pages.ts';
import { problem } from './problems/problem.ts';
import { type Route, route } from './route.ts';

const Alive = z
  .strictObject({
    status: z
      .literal('alive')
      .meta({ description: 'Always the same: the process answers.', example: 'alive' }),
    version: z.string().meta({ description: 'Version of Redrive.', example: '0.1.0' }),
  })
  .meta({ id: 'Health' });

const Readiness = z
  .strictObject({
    ready: z.boolean().meta({ description: 'Every part is ready.', example: true }),
    parts: z
      .array(
        z.strictObject({
          name: z.string().meta({ description: 'The part.', example: 'postgres' }),
          ready: z.boolean().meta({ description: 'It is ready.', example: true }),
          state: z.string().meta({ description: 'Its state in words.', example: 'connected' }),
        }),
      )
      .meta({ description: 'Each part by itself.' }),
  })
  .meta({ id: 'Readiness' });

const OpenApi = z.looseObject({
  openapi: z.string().meta({ description: 'Version of OpenAPI.', example: '3.1.0' }),
});

/** The routes of the process for an operator's tools: alive, ready, measured, described. */
export function serviceRoutes(deps: ApiDeps, openApi: (surface?: string) => unknown): Route[] {
  return [
    route({
      method: 'get',
      path: '/healthz',
      summary: 'Show whether the process is alive',
      tag: 'Service',
      access: { of: 'anyone' },
      responses: { 200: { description: 'It is.', schema: Alive } },
      handler: async () => ({ status: 200, body: { status: 'alive', version: deps.version } }),
    }),
    route({
      method: 'get',
      path: '/readyz',
      summary: 'Show whether Postgres, Temporal and a worker are there',
      tag: 'Service',
      access: { of: 'anyone' },
      responses: {
        200: { description: 'All parts are ready.', schema: Readiness },
        503: { description: 'At least one is not.', schema: Readiness },
      },
      async handler() {
        const parts = await deps.readiness();
        const ready = parts.every((part) => part.ready);
        return { status: ready ? 200 : 503, body: { ready, parts } };
      },
    }),
    route({
      method: 'get',
      path: '/metrics',
      summary: 'Counters and histograms for Prometheus',
      tag: 'Service',
      access: { of: 'anyone' },
      responses: {
        200: { description: 'The text exposition format.', schema: z.string(), contentType: 'text/plain' },
      },
      async handler() {
        const text = await metricsText(deps);
        return {
          status: 200,
          contentType: deps.metrics.registry.contentType,
          stream: async (output) => void (await output.write(text)),
        };
      },
    }),
    route({
      method: 'get',
      path: '/openapi.json',
      summary: 'This document',
      tag: 'Service',
      access: { of: 'anyone' },
      responses: {
        200: {
          description: 'The API as OpenAPI 3.1.',
          schema: OpenApi,
        },
      },
      handler: async () => ({ status: 200, body: openApi() }),
    }),
    route({
      method: 'get',
      path: '/openapi/{surface}.json',
      summary: 'The document of one surface alone',
      tag: 'Service',
      access: { of: 'anyone' },
      request: {
        params: z.strictObject({ surface: z.string().meta({ description: 'Its name.', example: 'native' }) }),
      },
      responses: { 200: { description: 'Its paths as OpenAPI 3.1.', schema: OpenApi } },
      problems: ['not_found'],
      async handler({ params: { surface } }) {
        const document = openApi(surface);
        return document === undefined ? problem('not_found') : { status: 200, body: document };
      },
    }),
  ];
}
