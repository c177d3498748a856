import { allPages, type DemoClient } from './demo-client.ts';
import { faultOf, type RemainingFailure } from './demo-report.ts';

/** An item of an operation, as far as the demo reads it. */
type Item = {
  deliveryId: string;
  endpointId: string;
  faultCode: string | null;
  httpStatus: number | null;
  reason: string | null;
};

type Delivery = { event: { type: string }; executions: { attempts: { responseExcerpt: string | null }[] }[] };

/** More would show no more types than these. */
const LOOKED_AT = 20;

/** The failures that an operation did not heal, by endpoint and cause. */
export async function remainingFailures(
  client: DemoClient,
  endpointIds: Readonly<Record<string, string>>,
  operationId: string,
): Promise<RemainingFailure[]> {
  const items = await allPages<Item>(client, `/api/v1/retries/${operationId}/items?state=failed&limit=500`);
  const failures: RemainingFailure[] = [];
  for (const [first, ...others] of groups(items)) {
    const deliveries: Delivery[] = [];
    for (const { deliveryId } of [first, ...others].slice(0, LOOKED_AT))
      deliveries.push(await client.get(`/api/v1/deliveries/${deliveryId}`));
    const handle = Object.keys(endpointIds).find((name) => endpointIds[name] === first.endpointId);
    failures.push({
      endpoint: handle ?? first.endpointId,
      count: others.length + 1,
      fault: faultOf(first),
      permanent: first.reason === 'permanent',
      eventTypes: [...new Set(deliveries.map(({ event }) => event.type))],
      answer: deliveries[0]?.executions.at(-1)?.attempts.at(-1)?.responseExcerpt ?? undefined,
      exampleId: first.deliveryId,
    });
  }
  return failures;
}

function groups(items: readonly Item[]): [Item, ...Item[]][] {
  const found = new Map<string, [Item, ...Item[]]>();
  for (const item of items) {
    const cause = `${item.endpointId} ${faultOf(item)}`;
    const group = found.get(cause);
    if (group) group.push(item);
    else found.set(cause, [item]);
  }
  return [...found.values()];
}
