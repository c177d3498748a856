/** Limits on what operations may ask for; an absent one limits nothing. */
export interface Quotas {
  /** Deliveries that one operation takes. */
  itemsPerOperation?: number;
  /** Deliveries that the operations of one day take together, in UTC. */
  itemsPerDay?: number;
  /** Operations that are open at a time. */
  openOperations?: number;
  /** Rate of one operation. */
  ratePerSecond?: number;
}

/** An operation, as far as quotas ask about it. */
export interface Asked {
  items: number;
  /** Absent: it goes at any rate that its endpoints bear, which is above every quota. */
  ratePerSecond?: number;
}

/** What the other operations of the same tenant have taken. */
export interface Used {
  /** Of the same day. */
  items: number;
  openOperations: number;
}

/** A quota that an operation would exceed, and how much there would be with it; absent for a rate without a limit. */
export interface QuotaExceeded {
  quota: keyof Quotas;
  limit: number;
  would?: number;
}

/** The quotas that an operation would exceed; none where it may go on without a second look. */
export function exceededQuotas(quotas: Quotas, asked: Asked, used: Used): QuotaExceeded[] {
  const would = {
    itemsPerOperation: asked.items,
    itemsPerDay: used.items + asked.items,
    openOperations: used.openOperations + 1,
    ratePerSecond: asked.ratePerSecond ?? Number.POSITIVE_INFINITY,
  };
  return (Object.keys(would) as (keyof Quotas)[]).flatMap((quota) => {
    const limit = quotas[quota];
    if (limit === undefined || would[quota] <= limit) return [];
    return [{ quota, limit, ...(Number.isFinite(would[quota]) ? { would: would[quota] } : {}) }];
  });
}
