import { z } from 'zod';
import { ID_PREFIXES, type Id, readId } from '../../domain/tenancy/typed-id.ts';

/** The one tag of the surface in the OpenAPI document. */
export const ZEN_TAG = 'Zen Mesh';

/** The tenant of a path; it is read with the credential. */
export const tid = z.string().meta({ description: 'Id or handle of the tenant.', example: 'acme' });

/** The other spelling of the ids of deliveries: the document prints both. */
const OTHER_DELIVERY_PREFIX = 'del_';

/** Reads the id of a delivery as `dlv_…`, `del_…` or uuid; undefined where it is none. */
export function readDeliveryId(text: string): Id<'delivery'> | undefined {
  return readId(
    'delivery',
    text.startsWith(OTHER_DELIVERY_PREFIX)
      ? `${ID_PREFIXES.delivery}_${text.slice(OTHER_DELIVERY_PREFIX.length)}`
      : text,
  );
}

/** An id that is taken as it is spelled: one that names nothing is a 404, in any form. */
export function spelledId(description: string, example: string) {
  return z.string().meta({ description, example });
}
