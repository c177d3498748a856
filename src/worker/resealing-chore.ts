import type { Logger } from 'pino';
import { type Id, type IdKind, showId } from '../domain/tenancy/typed-id.ts';
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

/** What the owner of a value is; a purpose is no id. */
const OWNERS: Readonly<Record<SealedKind, IdKind | undefined>> = {
  endpointSecret: 'endpoint',
  endpointHeaders: 'endpoint',
  endpointClientKey: 'endpoint',
  jwtIssuerSecret: 'jwtIssuer',
  signingKey: 'signingKey',
  keptKey: undefined,
};

/** Values that neither key opens which a line of the log names. */
const NAMED_AT_MOST = 20;

/** Owners whose values are sealed anew before the next ones are read. */
const OWNERS_AT_ONCE = 500;

function nameOf(kind: SealedKind, { of }: SealedValue): string {
  const owner = OWNERS[kind];
  return `${kind} ${owner === undefined ? of : showId(owner, of as Id<IdKind>)}`;
}

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
  // Nobody takes a 0 that was not counted for the end of the rotation.
  metrics.sealedUnderOtherKey.remove();
  return [
    {
      name: 'resealing',
      run: () =>
        attempt('resealing', async () => {
          const { rotatingTo } = await readMasterKeys(pool);
          if (rotatingTo !== sealer.masterKeyCheck) return;
          const lost: string[] = [];
          for (const kind of SEALED_KINDS) lost.push(...(await sealAnew(kind, rotation)));
          const unopenable = lost.length;
          // What neither key opens is lost already: it must not keep the old key for ever.
          const left = Math.max(0, (await countLeft(rotation)) - unopenable);
          metrics.sealedUnderOtherKey.set(left);
          if (unopenable > 0)
            log.warn({ event: 'master_key.unopenable', unopenable, of: lost.slice(0, NAMED_AT_MOST) });
          if (!stop.aborted && left === 0 && (await finishRotation(pool, sealer.masterKeyCheck)))
            log.info({ event: 'master_key.rotated', unopenable });
        }),
    },
  ];

  async function countLeft({ sealedPrefix }: Rotation): Promise<number> {
    // A count that cannot be made again says nothing of the present.
    metrics.sealedUnderOtherKey.remove();
    return countSealedOtherwise(pool, sealedPrefix);
  }

  /** Goes through one kind, and names those of its values that neither key opens. */
  async function sealAnew(kind: SealedKind, { sealedPrefix: prefix }: Rotation): Promise<string[]> {
    const lost: string[] = [];
    let after: string | undefined;
    while (!stop.aborted) {
      const values = await sealedOtherwise(pool, kind, { prefix, after, owners: OWNERS_AT_ONCE });
      if (values.length === 0) break;
      for (const value of values) {
        const anew = sealedAnew(kind, value);
        if (anew === undefined) lost.push(nameOf(kind, value));
        else if (await withTransaction(pool, (tx) => replaceSealed(tx, kind, value, anew)))
          count('sealed_anew', 1);
      }
      after = values.at(-1)?.of;
    }
    return lost;
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
