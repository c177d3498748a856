import type { ActBy } from '../../domain/audit/audit-action.ts';
import type { AcceptedItem } from '../../domain/operations/accepted-item.ts';
import type { Operation, OperationOptions } from '../../domain/operations/operation.ts';
import type { OperationKind } from '../../domain/operations/operation-state.ts';
import type { AskedPlan, Plan } from '../../domain/operations/plan.ts';
import type { Selection } from '../../domain/operations/selection.ts';
import type { SurfaceName } from '../../domain/tenancy/surface-name.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../../store/db/queryable.ts';

/**
 * How long the answer to a key is kept: for a time, for as long as the operation is, or while the operation is open.
 */
export type KeepAnswer = { ms: number } | 'for_ever' | 'while_open';

/** The request of a caller, whatever the surface. Ids are uuids of the tenant's own. */
export interface AcceptRequest<Refusal = never> {
  tenant: { id: Id<'tenant'>; handle: string };
  surface: SurfaceName;
  kind: OperationKind;
  target: 'original' | 'current';
  /** A replay that sends new deliveries, which point to those that it selects. */
  newIdentity?: boolean;
  selection: Selection;
  options: OperationOptions;
  reason?: string;
  ticket?: string;
  /** It is only planned: nothing is sent before somebody executes the plan. */
  plan?: AskedPlan;
  /** It does not wait for approval, whatever the policy says; only of who may say so, and with a reason. */
  emergency?: boolean;
  /** Events that it is expected to send, where the surface tells. */
  estimatedEvents?: number;
  /** Who asks, with which API key, and in which request. */
  caller: ActBy;
  /** `scope` and `fingerprint` are declared by the surface. */
  idempotency?: { scope: string; key: string; fingerprint: Buffer; keep: KeepAnswer };
  /**
   * Looks, and writes, in the transaction that accepts the operation, before anything of it is written; a refusal that
   * it returns refuses the request, and nothing is kept. Not called for a repeat.
   */
  before?(tx: Transaction): Promise<Refusal | undefined>;
  /**
   * Looks, and writes, in the same transaction when the operation and the items of an explicit list are there; a
   * refusal that it returns takes all of it back.
   */
  after?(
    tx: Transaction,
    accepted: { operationId: Id<'operation'>; items: AcceptedItem[] },
  ): Promise<Refusal | undefined>;
  /** Renders the answer; it is stored as JSON and given alike, now and to every repeat. */
  render(accepted: {
    operation: Operation;
    /** Where it is only planned. */
    plan?: Plan;
    /** The fate of each delivery of an explicit list. */
    items?: AcceptedItem[];
    idempotencyExpiresAt?: Date;
  }): unknown;
}
