import { createServer } from 'node:http';

/** A receiver that answers at once and counts; its port and, on each line of input, its count go to standard output. */
const seen = new Map<string, number>();
let requests = 0;
const server = createServer((request, response) => {
  const id = String(request.headers['webhook-id'] ?? '');
  request.resume();
  request.on('end', () => {
    requests += 1;
    if (id) seen.set(id, (seen.get(id) ?? 0) + 1);
    response.end('ok');
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${JSON.stringify({ port: typeof address === 'object' ? address?.port : 0 })}\n`);
});
process.stdin.on('data', () => {
  const twice = [...seen.values()].filter((count) => count > 1).length;
  process.stdout.write(`${JSON.stringify({ requests, distinct: seen.size, twice })}\n`);
});
process.stdin.on('end', () => process.exit(0));
