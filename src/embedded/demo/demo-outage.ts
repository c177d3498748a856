import type { Page } from './demo-client.ts';
import { LEFT_TO_THE_CONSOLE } from './demo-endpoints.ts';
import { type DemoStage, until } from './demo-story.ts';

type Outage = {
  state: string;
  deliveries: { byState: { failed: number } };
  operations: { state: string }[];
};

const SEEN_WITHIN_MS = 90_000;

/** Waits until Redrive has seen that the protected endpoint is down. */
export async function outageBegins(stage: DemoStage): Promise<void> {
  const what = `the outage of ${LEFT_TO_THE_CONSOLE} did not begin`;
  await until(what, SEEN_WITHIN_MS, stage.signal, async () => (await outages(stage)).length > 0);
}

/** Lifts what is held against the protected endpoint, as its owner does who knows that it is back. */
export async function enableProtected({ client }: DemoStage): Promise<void> {
  await client.post(`/api/v1/endpoints/${LEFT_TO_THE_CONSOLE}/enable`, {});
}

/**
 * Waits until Redrive has seen that the protected endpoint is back and has made a plan of what its outage left, and
 * answers with how many deliveries that are; undefined where somebody has run it meanwhile, in the console.
 */
export async function leftByOutage(stage: DemoStage): Promise<number | undefined> {
  const { client, signal } = stage;
  let left: number | undefined;
  await until(`the outage of ${LEFT_TO_THE_CONSOLE} did not end`, SEEN_WITHIN_MS, signal, async () => {
    for (const { id } of await outages(stage)) {
      const { state, deliveries, operations } = await client.get<Outage>(`/api/v1/outages/${id}`);
      left = operations.some(({ state: at }) => at === 'planned') ? deliveries.byState.failed : undefined;
      if (operations.length > 0 || state === 'closed') return true;
    }
    return false;
  });
  return left;
}

async function outages({ client }: DemoStage): Promise<{ id: string }[]> {
  const path = `/api/v1/outages?endpointIds=${LEFT_TO_THE_CONSOLE}&limit=1`;
  return (await client.get<Page<{ id: string }>>(path)).items;
}
