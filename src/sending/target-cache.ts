import type { Pool } from 'pg';
import { showId } from '../domain/tenancy/typed-id.ts';
import { parseSecret, type SigningSecret } from '../outbound/signature.ts';
import type { Sealer } from '../sealing/sealing.ts';
import { endpointHeadersContext, endpointSecretContext } from '../sealing/sealing-contexts.ts';
import { loadTargets, type SealedTarget } from '../store/sending/sending-targets.ts';

/** Where and how to send to one endpoint version, ready for use. */
export type Target = Omit<SealedTarget, 'sealedHeaders' | 'sealedSecrets'> & {
  /** The endpoint's id as receivers see it. */
  shownId: string;
  headers: Record<string, string>;
  secrets: SigningSecret[];
};

/** Looks a prepared target up; throws where it cannot be read. */
export type TargetLookup = (endpointId: string, version: number) => Target;

/** How long a rotated secret or a changed policy may go unnoticed by a sender. */
const FRESH_MS = 5_000;

/** More than this many targets are a sign of churn: the cache starts anew. */
const MAX_TARGETS = 20_000;

/** Keeps targets unsealed in memory for a few seconds, so that a claim of hundreds of items costs no extra reads. */
export class TargetCache {
  readonly #pool: Pool;
  readonly #sealer: Sealer;
  readonly #targets = new Map<string, { target?: Target; freshUntilMs: number }>();

  constructor(pool: Pool, sealer: Sealer) {
    this.#pool = pool;
    this.#sealer = sealer;
  }

  /** Reads what is not fresh of the wanted targets, in one statement, and returns a way to look each of them up. */
  async prepare(wanted: { endpointId: string; version: number }[]): Promise<TargetLookup> {
    const nowMs = Date.now();
    const missing = new Map<string, { endpointId: string; version: number }>();
    for (const want of wanted) {
      const key = keyOf(want.endpointId, want.version);
      if ((this.#targets.get(key)?.freshUntilMs ?? 0) < nowMs) missing.set(key, want);
    }
    if (missing.size > 0) {
      if (this.#targets.size > MAX_TARGETS) this.#targets.clear();
      for (const sealed of await loadTargets(this.#pool, [...missing.values()]))
        this.#targets.set(keyOf(sealed.endpointId, sealed.version), {
          ...this.#opened(sealed),
          freshUntilMs: nowMs + FRESH_MS,
        });
    }
    return (endpointId, version) => {
      const target = this.#targets.get(keyOf(endpointId, version))?.target;
      if (!target)
        throw new Error('the endpoint version of a claimed item does not exist, or cannot be unsealed');
      return target;
    };
  }

  /** One target that cannot be unsealed must not keep the others of a claim from being sent. */
  #opened(sealed: SealedTarget): { target?: Target } {
    try {
      return { target: this.#open(sealed) };
    } catch {
      return {};
    }
  }

  #open({ sealedHeaders, sealedSecrets, ...rest }: SealedTarget): Target {
    return {
      ...rest,
      shownId: showId('endpoint', rest.endpointId),
      headers: sealedHeaders
        ? JSON.parse(
            this.#sealer.open(sealedHeaders, endpointHeadersContext(rest.endpointId)).toString('utf8'),
          )
        : {},
      secrets: sealedSecrets.map((sealed) => {
        const secret = parseSecret(
          this.#sealer.open(sealed, endpointSecretContext(rest.endpointId)).toString('utf8'),
        );
        if (!secret) throw new Error('a sealed signing secret does not parse');
        return secret;
      }),
    };
  }
}

function keyOf(endpointId: string, version: number): string {
  return `${endpointId}/${version}`;
}
