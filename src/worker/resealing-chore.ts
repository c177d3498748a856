import type { Logger } from 'pino';
import type { Chore, ChoreDeps } from '../loops/chore.ts';
import type { Sealer } from '../sealing/sealing.ts';
import {
  endpointClientKeyContext,
  endpointHeadersContext,
  endpointSecretContext,
  jwtIssuerSecretContext,
  keptKeyContext,
  signingKeyContext,
} from '../sealing/sealing-contexts.ts';
import { finishRotation, readMasterKeys } from '../store/db/installation.ts';
import { withTransaction } from '../store/db/pool.ts';
import {
  countSealedOtherwise,
  replaceSealed,
  SEALED_KINDS,
  type SealedKind,
  type SealedValue,
  sealedOtherwise,
} from '../store/sealed/sealed-values.ts';
import type { Metrics } from '../telemetry/metrics.ts';

const CONTEXTS: Readonly<Record<SealedKind, (of: string) => string>> = {
  endpointSecret: endpointSecretContext,
  endpointHeaders: endpointHeadersContext,
  endpointClientKey: endpointClientKeyContext,
  jwtIssuerSecret: jwtIssuerSecretContext,
  signingKey: signingKeyContext,
  keptKey: keptKeyContext,
};

/** Owners whose values are sealed anew before the next ones are read. */
const OWNERS_AT_ONCE = 500;

type Rotation = Required<Sealer>['rotation'];

/**
 * The chores that seal everything anew under the present master key while there is another one, and say how much is
 * left; none where there is not. A statement replaces a value only where it is still the one that was opened: any number
 * of workers may do it at once, and a worker that dies in the middle leaves nothing undone that the next would not find.
 */
export function resealingChores(
  { pool, stop, count, attempt }: ChoreDeps,
  { sealer, metrics, log }: { sealer: Sealer; metrics: Metrics; log: Logger },
): Chore[] {
  const { rotation } = sealer;
  if (rotation === undefined) return [];
  return [
    {
      name: 'resealing',
      run: () =>
        attempt('resealing', async () => {
          const { rotatingTo } = await readMasterKeys(pool);
          if (rotatingTo !== sealer.masterKeyCheck) return;
          let unopenable = 0;
          for (const kind of SEALED_KINDS) unopenable += await sealAnew(kind, rotation);
          const left = await countSealedOtherwise(pool, rotation.sealedPrefix);
          metrics.sealedUnderOtherKey.set(left);
          if (unopenable > 0) log.warn({ event: 'master_key.unopenable', unopenable });
          // What neither key opens is lost already: it must not keep the old key for ever.
          if (!stop.aborted && left <= unopenable && (await finishRotation(pool, sealer.masterKeyCheck)))
            log.info({ event: 'master_key.rotated', unopenable });
        }),
    },
  ];

  /** Goes through one kind, and says how many of its values neither key opens. */
  async function sealAnew(kind: SealedKind, { sealedPrefix: prefix }: Rotation): Promise<number> {
    let unopenable = 0;
    let after: string | undefined;
    while (!stop.aborted) {
      const values = await sealedOtherwise(pool, kind, { prefix, after, owners: OWNERS_AT_ONCE });
      if (values.length === 0) break;
      for (const value of values) {
        const anew = sealedAnew(kind, value);
        if (anew === undefined) unopenable += 1;
        else if (await withTransaction(pool, (tx) => replaceSealed(tx, kind, value, anew)))
          count('sealed_anew', 1);
      }
      after = values.at(-1)?.of;
    }
    return unopenable;
  }

  function sealedAnew(kind: SealedKind, { of, sealed }: SealedValue): Buffer | undefined {
    const context = CONTEXTS[kind](of);
    try {
      return sealer.seal(sealer.open(sealed, context), context);
    } catch {
      return undefined;
    }
  }
}
