import { createAddressGuard } from '../../../src/outbound/address-guard.ts';
import { createAttemptClient } from '../../../src/outbound/attempt.ts';
import { createDeadline } from '../../../src/outbound/deadline.ts';

/** Makes one attempt at the URL in its first argument and says how it ended, in a process with an environment of its own. */
const [url = ''] = process.argv.slice(2);
const client = createAttemptClient({ guard: createAddressGuard(['127.0.0.0/8']) });
const result = await client.send({
  url,
  body: '{}',
  headers: { 'content-type': 'application/json' },
  timeoutMs: 10_000,
  deadline: createDeadline(20_000),
});
console.log(JSON.stringify(result.kind === 'answered' ? { status: result.status } : result));
await client.close();
