import type { StreamOutput } from '../../api/reply.ts';

/** Proxies give up on connections on which nothing moves, commonly after a minute. */
const HEARTBEAT_MS = 15_000;

/** The headers of a stream of events: nginx would keep events back until its buffer is full. */
export const EVENT_STREAM_HEADERS = { 'x-accel-buffering': 'no' };

/** Writes to a stream, and a sign of life every now and then, until it is stopped; told whether the peer took a text. */
export function livelyWriter(
  output: StreamOutput,
  sign: string,
  everyMs = HEARTBEAT_MS,
): { write: (text: string) => Promise<boolean>; stop: () => void } {
  let writing = 0;
  const write = async (text: string) => {
    writing += 1;
    const taken = await output.write(text);
    writing -= 1;
    return taken;
  };
  const timer = setInterval(() => {
    // A peer that has not taken the last one yet needs no further one.
    if (writing === 0) void write(sign);
  }, everyMs);
  return { write, stop: () => clearInterval(timer) };
}

/** Writes events as they come, and signs of life between them, until there are no more or nobody reads them. */
export async function sendEvents(output: StreamOutput, events: AsyncIterable<string>): Promise<void> {
  const { write, stop } = livelyWriter(output, ': still here\n\n');
  try {
    await write('retry: 2000\n\n');
    for await (const text of events) if (!(await write(text))) return;
  } finally {
    stop();
  }
}
