import type { Schema } from './client.ts';

type DeliveryState = Schema<'Delivery'>['state'];

/** Each state that the API knows, what needs somebody first. */
const IN_ORDER: Readonly<Record<DeliveryState, true>> = {
  failed: true,
  unknown: true,
  pending: true,
  cancelled: true,
  ignored: true,
  delivered: true,
};

/** The states of deliveries. */
export const STATES = Object.keys(IN_ORDER) as DeliveryState[];
