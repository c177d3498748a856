import { createAddressGuard } from '../../../src/outbound/address-guard.ts';
import { createAttemptClient } from '../../../src/outbound/attempt.ts';
import { createDeadline } from '../../../src/outbound/deadline.ts';

/**
 * Makes more attempts at the URL in its first argument, which answers none, than its process may have files open, and says
 * how the first of them ended that was not made.
 */
const [url = ''] = process.argv.slice(2);
const client = createAttemptClient({
  guard: createAddressGuard(['127.0.0.0/8']),
  maxSocketsPerOrigin: 1_000,
});
const first = await Promise.race(
  Array.from({ length: 200 }, () =>
    client.send({
      url,
      body: '{}',
      headers: { 'content-type': 'application/json' },
      timeoutMs: 60_000,
      deadline: createDeadline(60_000),
    }),
  ),
);
console.log(JSON.stringify(first));
