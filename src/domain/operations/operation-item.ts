import type { ExecutionState } from '../sending/execution-state.ts';
import type { Wait } from '../sending/waiting-for.ts';
import type { Id } from '../tenancy/typed-id.ts';
import type { ExclusionReason } from './selection.ts';

/** One line of an operation's ledger: an execution that it made, or an exclusion. */
export type OperationItem = ItemEvent &
  (
    | {
        kind: 'item';
        executionId: Id<'execution'>;
        /** The delivery that was selected. */
        deliveryId: Id<'delivery'>;
        /** The one that is sent in its place, under a new identity. */
        newDeliveryId?: Id<'delivery'>;
        endpointId: Id<'endpoint'>;
        state: ExecutionState;
        reason?: string;
        attempts: number;
        dueAt: Date;
        mayHaveArrived: boolean;
        faultCode?: string;
        httpStatus?: number;
        /** The execution that this one superseded. */
        tookOver?: Id<'execution'>;
        supersededBy?: Id<'execution'>;
        finishedAt?: Date;
        /** The reasons for waiting, where it is queued or scheduled. */
        waitingFor: Wait[];
      }
    | {
        kind: 'exclusion';
        deliveryId: Id<'delivery'>;
        endpointId: Id<'endpoint'>;
        reason: ExclusionReason;
        joinedExecutionId?: Id<'execution'>;
        /** The delivery that stands for it since its sender sent the event again. */
        resentBy?: Id<'delivery'>;
        heldBy?: Id<'operation'>;
        createdAt: Date;
      }
  );

/** The event of a line, as its sender knows it. */
export interface ItemEvent {
  eventId: Id<'event'>;
  externalId?: string;
  eventType: string;
  key?: string;
}
