import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** An event of the demo, as the API takes it. */
export type DemoEvent = {
  id: string;
  type: string;
  source: string;
  key?: string;
  ingestionBatchId: string;
  payload: unknown;
};

/** One kind of GitHub webhook with real payloads of it, as `@octokit/webhooks-examples` lists them. */
export type WebhookDefinition = { name: string; examples: WebhookExample[] };

type WebhookExample = { action?: unknown; repository?: { full_name?: string } | null };

const SOURCE = 'github.com';

const require = createRequire(import.meta.url);

/** Reads the examples, megabytes of them: only the demo does, and nothing keeps them. */
export async function readExamples(): Promise<WebhookDefinition[]> {
  const file = require.resolve('@octokit/webhooks-examples');
  return JSON.parse(await readFile(file, 'utf8')) as WebhookDefinition[];
}

/** Every example once per batch: typed `issues.opened` or `push`, and about its repository where it has one. */
export function demoEvents(
  definitions: readonly WebhookDefinition[],
  batchIds: readonly string[],
): DemoEvent[] {
  return batchIds.flatMap((ingestionBatchId) =>
    definitions.flatMap(({ name, examples }) =>
      examples.map((payload, index): DemoEvent => {
        const type = typeof payload.action === 'string' ? `${name}.${payload.action}` : name;
        const key = payload.repository?.full_name;
        return {
          id: `${ingestionBatchId}/${name}/${index}`,
          type,
          source: SOURCE,
          ...(key === undefined ? {} : { key }),
          ingestionBatchId,
          payload,
        };
      }),
    ),
  );
}

/** Events in calls of at most so many. */
export function inCalls<Item>(items: readonly Item[], most: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / most) }, (_, call) =>
    items.slice(call * most, (call + 1) * most),
  );
}
