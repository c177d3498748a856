import { proxyActivities } from '@temporalio/workflow';

const { deliver } = proxyActivities<{ deliver(deliveryId: string): Promise<void> }>({
  startToCloseTimeout: '30 seconds',
});

/** The design that one would write first: a workflow for each delivery. */
export async function delivery(deliveryId: string): Promise<void> {
  await deliver(deliveryId);
}
