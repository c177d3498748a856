import { startDemoReceiver } from '../../../src/embedded/demo/demo-receiver-process.ts';

// Starts the receiver of the demo, says its process id and its port, and then lives until it is killed.
const { signal } = new AbortController();
const dataDir = process.argv[2] ?? '';
const { pid, port } = await startDemoReceiver({ dataDir, phase: 'outage', signal });
process.stdout.write(`${JSON.stringify({ pid, port })}\n`);
setInterval(() => {}, 60_000);
