import type { Page } from './demo-client.ts';
import { LEFT_TO_THE_CONSOLE } from './demo-endpoints.ts';
import { type DemoStage, until } from './demo-story.ts';

type Outage = {
  state: string;
  deliveries: { byState: { failed: number } };
  operations: unknown[];
};

const SEEN_WITHIN_MS = 90_000;

/** Lifts what is held against the protected endpoint, as its owner does who knows that it is back. */
export async function enableProtected({ client }: DemoStage): Promise<void> {
  await client.post(`/api/v1/endpoints/${LEFT_TO_THE_CONSOLE}/enable`, {});
}

/**
 * Waits until Redrive has seen that the protected endpoint is back and has made a plan of what its outage left, and
 * answers with how many deliveries that are.
 */
export async function leftByOutage({ client, signal }: DemoStage): Promise<number> {
  let left = 0;
  await until(`the outage of ${LEFT_TO_THE_CONSOLE} did not end`, SEEN_WITHIN_MS, signal, async () => {
    const { items } = await client.get<Page<{ id: string }>>(
      `/api/v1/outages?endpointIds=${LEFT_TO_THE_CONSOLE}&limit=1`,
    );
    for (const { id } of items) {
      const { state, deliveries, operations } = await client.get<Outage>(`/api/v1/outages/${id}`);
      left = deliveries.byState.failed;
      if (operations.length > 0 || state === 'closed') return true;
    }
    return false;
  });
  return left;
}
