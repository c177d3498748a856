import { errorOf } from '@redrive/client';
import { client } from './client.ts';

/** Fetches a file in another form than the API's own, and gives it to the browser to keep. */
export async function download(path: string, accept: string, name: string): Promise<void> {
  const response = await client.raw(path, { headers: { accept } });
  if (!response.ok) throw errorOf(await response.json().catch(() => undefined), response);
  keep(await response.blob(), name);
}

/** Gives a file to the browser to keep. */
export function keep(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
