import { StartupProblem } from './embedded/startup-problem.ts';
import { createSealer, type Sealer } from './sealing/sealing.ts';
import { keptKeyContext } from './sealing/sealing-contexts.ts';
import { admitMasterKeys } from './store/db/installation.ts';
import { type Pool, withTransaction } from './store/db/pool.ts';
import { keepKey, listKeptKeys } from './store/sealed/kept-keys.ts';

/** The purposes whose keys others know the installation by: a rotation of the master key must not change them. */
const KEPT_PURPOSES = ['system-signer'];

/**
 * The sealer of this installation, whose database was sealed under one of these keys; where that is the other one, a
 * rotation begins. Throws a `StartupProblem` where the keys do not fit.
 */
export async function openSealer(
  pool: Pool,
  { masterKey, otherMasterKey }: { masterKey: Buffer; otherMasterKey?: Buffer | undefined },
): Promise<Sealer> {
  const sealer = createSealer(masterKey, { otherMasterKey });
  const known = { present: sealer.masterKeyCheck, other: sealer.rotation?.otherCheck };
  const verdict = await withTransaction(pool, async (tx) => {
    const admitted = await admitMasterKeys(tx, known);
    if (admitted === 'rotates' && otherMasterKey !== undefined) {
      const before = createSealer(otherMasterKey);
      for (const purpose of KEPT_PURPOSES)
        await keepKey(tx, purpose, sealer.seal(before.deriveKey(purpose), keptKeyContext(purpose)));
    }
    return admitted;
  });
  if (verdict === 'unknown_key')
    throw new StartupProblem(
      'REDRIVE_MASTER_KEY is not the key that this database was sealed under: set the one it was first started with, or the one that it was rotated to. To rotate it, REDRIVE_OTHER_MASTER_KEY has to be the key before (docs/credentials.md).',
    );
  if (verdict === 'rotation_unfinished')
    throw new StartupProblem(
      'The master key of this database is being rotated, and a part of it is sealed under a key that is not set: set REDRIVE_OTHER_MASTER_KEY, too, until a worker has logged master_key.rotated (docs/credentials.md).',
    );
  const keptKeys = new Map(
    (await listKeptKeys(pool)).map(({ purpose, sealed }) => [
      purpose,
      sealer.open(sealed, keptKeyContext(purpose)),
    ]),
  );
  return keptKeys.size === 0 ? sealer : createSealer(masterKey, { otherMasterKey, keptKeys });
}
