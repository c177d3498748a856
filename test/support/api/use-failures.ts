import { beforeAll } from '@jest/globals';
import { type SeededDelivery, seedEndpoint, seedFailedDeliveries } from '../engine/failed-deliveries.ts';
import type { TestApi } from './test-api.ts';
import type { Answer } from './test-client.ts';

/** An endpoint for everything, deliveries that have failed there, and the call that retries. */
export interface Failures {
  readonly endpointId: string;
  /** One of the deliveries that no other test has retried yet. */
  fresh(): SeededDelivery;
  /** Posts a retry, under a key where one is given. */
  post(body: unknown, idempotencyKey?: string): Promise<Answer>;
}

/** So many failures for the tests of a file. */
export function useFailures(api: TestApi, count: number): Failures {
  let endpointId = '';
  let seeded: SeededDelivery[] = [];
  beforeAll(async () => {
    endpointId = await seedEndpoint(api);
    seeded = await seedFailedDeliveries(api, count);
  });
  return {
    get endpointId() {
      return endpointId;
    },
    fresh() {
      const next = seeded.shift();
      if (!next) throw new Error('more deliveries must be seeded');
      return next;
    },
    post: (body, idempotencyKey) =>
      api.call('POST', '/api/v1/retries', {
        body,
        headers: idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey },
      }),
  };
}
