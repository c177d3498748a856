import type { RequestListener, ServerResponse } from 'node:http';
import type { ApiDeps } from './api-deps.ts';

/** The parts of {@link ApiDeps} that these pages read. */
export type OperatorDeps = Pick<ApiDeps, 'metrics' | 'moreMetrics' | 'readiness' | 'version' | 'log'>;

/** Everything that this process measures, in the format of Prometheus. */
export async function metricsText({ metrics, moreMetrics }: OperatorDeps): Promise<string> {
  const texts = [await metrics.registry.metrics(), (await moreMetrics?.()) ?? ''];
  return texts.filter((text) => text !== '').join('\n');
}

/**
 * Three pages for an operator's tools alone, on a port of their own: `/healthz`, `/readyz` and `/metrics`. A worker
 * has no others, and an API shows its own there to a network that its callers are not in.
 */
export function operatorPages(deps: OperatorDeps): RequestListener {
  return (request, response) => {
    answer(deps, request.method, request.url, response).catch((error: Error) => {
      deps.log.error({ event: 'metrics.failed', code: error.name }, 'a page for operators failed');
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  };
}

async function answer(
  deps: OperatorDeps,
  method: string | undefined,
  url: string | undefined,
  response: ServerResponse,
): Promise<void> {
  const send = (status: number, type: string, body: string) => {
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
    response.end(method === 'HEAD' ? undefined : body);
  };
  const json = (status: number, body: unknown) => send(status, 'application/json', JSON.stringify(body));
  if (method !== 'GET' && method !== 'HEAD') return json(405, { title: 'Only GET is answered here' });
  switch (url?.split('?', 1)[0]) {
    case '/healthz':
      return json(200, { status: 'alive', version: deps.version });
    case '/readyz': {
      const parts = await deps.readiness();
      const ready = parts.every((part) => part.ready);
      return json(ready ? 200 : 503, { ready, parts });
    }
    case '/metrics':
      return send(200, deps.metrics.registry.contentType, await metricsText(deps));
    default:
      return json(404, { title: 'Nothing is here: see /healthz, /readyz and /metrics' });
  }
}
