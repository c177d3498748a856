import { EventSourceParserStream } from 'eventsource-parser/stream';

/** An event of a stream; `data` is parsed JSON. */
export interface StreamEvent {
  event: string;
  data: unknown;
  /** By which the stream goes on behind it. */
  id: string | undefined;
}

/** The events of a body, until it ends; `onRetry` hears how long to wait before the next connection. */
export async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  onRetry: (waitMs: number) => void = () => {},
): AsyncGenerator<StreamEvent, void, undefined> {
  const parsed = body
    // The types of the platforms disagree about which bytes a decoder takes.
    .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .pipeThrough(new EventSourceParserStream({ onRetry }));
  const reader = parsed.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield { event: value.event ?? 'message', data: JSON.parse(value.data) as unknown, id: value.id };
    }
  } finally {
    // Whoever stops listening closes the connection.
    await reader.cancel().catch(() => {});
  }
}
