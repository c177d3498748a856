import { hashOf, type Proof, systemProof } from './envelope.ts';
import type { BridgeEvent } from './store/bridge-events.ts';
import type { SystemSigner } from './system-signer.ts';

/** An event of a bridge as it is listed, signed in the state it is in. */
export interface ListedEvent {
  hash: string;
  meta: { proofs: Proof[]; moment: string; status: string; replay: number };
  data: { handle: string; bridge: string; record: 'intent'; linked: string };
}

/** Shows an event; its proof says since when it is in its state, and is the same until that changes. */
export function listedEvent(signer: SystemSigner, bridge: string, event: BridgeEvent): ListedEvent {
  const data = {
    handle: event.deliveryId,
    bridge,
    record: 'intent',
    linked: event.eventId,
  } as const;
  const hash = hashOf(data);
  const { status } = event;
  return {
    hash,
    meta: {
      proofs: [systemProof(signer, hash, { moment: event.stateChangedAt.toISOString(), status })],
      moment: event.acceptedAt.toISOString(),
      status,
      replay: event.attempts,
    },
    data,
  };
}
