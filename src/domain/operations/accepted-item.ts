import type { Id } from '../tenancy/typed-id.ts';
import type { ExclusionReason } from './selection.ts';

/** The fate of one delivery of an explicit list. */
export type AcceptedItem =
  | {
      deliveryId: Id<'delivery'>;
      /** The delivery that is sent in its place, under a new identity. */
      newDeliveryId?: Id<'delivery'>;
      endpointId: Id<'endpoint'>;
      /** Ignored: it repeats another event, and where filters run again an item says so. */
      became: 'queued' | 'scheduled' | 'ignored';
      executionId: Id<'execution'>;
      supersededExecutionId?: Id<'execution'>;
    }
  | {
      deliveryId: Id<'delivery'>;
      endpointId: Id<'endpoint'>;
      became: 'excluded';
      reason: ExclusionReason;
      joinedExecutionId?: Id<'execution'>;
      resentBy?: Id<'delivery'>;
      heldBy?: Id<'operation'>;
    };
