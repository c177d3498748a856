import { type components, errorOf } from '@redrive/client';
import type { Api } from '../../shell/api.ts';

/** An import as the API shows it. */
export type Import = components['schemas']['Import'];

/** A line of its report. */
export type ImportLine = components['schemas']['ImportLine'];

/** A call of the imports; one that is refused throws. */
export async function importCall<Answer>(
  { raw }: Api,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  const response = await raw(`/api/v1/imports${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  if (!response.ok) throw errorOf(await response.json().catch(() => undefined), response);
  return (await response.json()) as Answer;
}

/** Sends lines as they are read. */
export async function sendLines(
  { raw }: Api,
  { id, nextLine }: Pick<Import, 'id' | 'nextLine'>,
  body: ReadableStream<Uint8Array>,
): Promise<Import> {
  const response = await raw(`/api/v1/imports/${encodeURIComponent(id)}/lines?from=${nextLine}`, {
    method: 'PUT',
    body,
    // A body that is a stream is sent by those only who say so, which the types do not know.
    ...({ duplex: 'half' } as object),
    headers: { 'content-type': 'application/x-ndjson' },
  });
  if (!response.ok) throw errorOf(await response.json().catch(() => undefined), response);
  return (await response.json()) as Import;
}
