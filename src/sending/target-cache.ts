import { listenerOf } from '../domain/listeners/listener.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { createDeadline, type Deadline } from '../outbound/deadline.ts';
import { type EndpointTls, endpointTls } from '../outbound/endpoint-tls.ts';
import { parseSecret, type SigningSecret } from '../outbound/signature.ts';
import type { Sealer } from '../sealing/sealing.ts';
import {
  endpointClientKeyContext,
  endpointHeadersContext,
  endpointSecretContext,
} from '../sealing/sealing-contexts.ts';
import type { Pool } from '../store/db/pool.ts';
import { loadTargets, type SealedTarget } from '../store/sending/sending-targets.ts';

/** Where and how to send to one endpoint version, ready for use. */
export type Target = Omit<
  SealedTarget,
  'sealedHeaders' | 'sealedSecrets' | 'caCertificate' | 'clientCertificate'
> & {
  /** The endpoint's id as receivers see it. */
  shownId: string;
  headers: Record<string, string>;
  secrets: SigningSecret[];
  /** Where it has certificates of its own. */
  tls?: EndpointTls;
  /** There where its requests go down the connection of a listener. */
  listenerId?: Id<'listener'>;
};

/** Looks a prepared target up; throws where it cannot be read. */
export type TargetLookup = (endpointId: Id<'endpoint'>, version: number) => Target;

/** A target that is asked for, with the revision of its endpoint that the caller has seen. */
export interface Wanted {
  endpointId: Id<'endpoint'>;
  version: number;
  /** A copy of an earlier revision of the endpoint is stale. */
  revision: number;
}

interface Kept {
  target?: Target;
  revision: number;
  /** Absent: none of its secrets runs out. */
  secretEnds?: Deadline;
}

/** More than this many targets are a sign of churn: the cache is emptied. */
const MAX_TARGETS = 20_000;

/**
 * Keeps targets unsealed in memory, so that a claim of hundreds of items costs no extra reads. A copy is used as long
 * as the endpoint is at the revision that the claim has seen and none of its secrets has run out: each claim that
 * begins after a change of the endpoint sends by that change.
 */
export class TargetCache {
  readonly #pool: Pool;
  readonly #sealer: Sealer;
  readonly #targets = new Map<string, Kept>();

  constructor(pool: Pool, sealer: Sealer) {
    this.#pool = pool;
    this.#sealer = sealer;
  }

  /** Reads the wanted targets that are stale, in one statement, and returns a way to look each of them up. */
  async prepare(wanted: Wanted[]): Promise<TargetLookup> {
    const missing = new Map<string, Wanted>();
    for (const want of wanted) {
      const key = keyOf(want.endpointId, want.version);
      if (!isFresh(this.#targets.get(key), want)) missing.set(key, want);
    }
    if (missing.size > 0) {
      if (this.#targets.size > MAX_TARGETS) this.#targets.clear();
      for (const sealed of await loadTargets(this.#pool, [...missing.values()]))
        this.#keep(keyOf(sealed.endpointId, sealed.version), this.#kept(sealed));
    }
    return (endpointId, version) => {
      const target = this.#targets.get(keyOf(endpointId, version))?.target;
      if (!target)
        throw new Error('the endpoint version of a claimed item does not exist, or cannot be unsealed');
      return target;
    };
  }

  /** A copy that was read late must not take the place of one of a later revision. */
  #keep(key: string, kept: Kept): void {
    if ((this.#targets.get(key)?.revision ?? 0) <= kept.revision) this.#targets.set(key, kept);
  }

  #kept(sealed: SealedTarget): Kept {
    const { revision, secretEndsInMs } = sealed;
    const kept = {
      revision,
      ...(secretEndsInMs === undefined ? {} : { secretEnds: createDeadline(secretEndsInMs) }),
    };
    try {
      return { ...kept, target: this.#open(sealed) };
    } catch {
      // One target that cannot be unsealed must not keep the others of a claim from being sent.
      return kept;
    }
  }

  #open({ sealedHeaders, sealedSecrets, caCertificate, clientCertificate, ...rest }: SealedTarget): Target {
    const listenerId = listenerOf(rest.url);
    const tls = endpointTls({
      ...(caCertificate ? { ca: caCertificate } : {}),
      ...(clientCertificate
        ? {
            cert: clientCertificate.certificate,
            key: this.#sealer
              .open(clientCertificate.sealedKey, endpointClientKeyContext(rest.endpointId))
              .toString('utf8'),
          }
        : {}),
    });
    return {
      ...rest,
      ...(listenerId ? { listenerId } : {}),
      ...(tls ? { tls } : {}),
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

function isFresh(kept: Kept | undefined, { revision }: Wanted): boolean {
  return kept !== undefined && kept.revision >= revision && !kept.secretEnds?.expired();
}

function keyOf(endpointId: Id<'endpoint'>, version: number): string {
  return `${endpointId}/${version}`;
}
