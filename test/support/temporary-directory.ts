import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `act` with an empty directory that is gone afterwards. */
export async function inTemporaryDirectory<Result>(act: (path: string) => Promise<Result>): Promise<Result> {
  const path = await mkdtemp(join(tmpdir(), 'redrive-test-'));
  // As root, Postgres runs under another account, which has to get through here.
  await chmod(path, 0o711);
  try {
    return await act(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}
