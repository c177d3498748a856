import { z } from 'zod';
import { timeField } from '../native/fields.ts';
import { FILE_FAULT_CODES } from './file-fault.ts';

/** An id that is shown: a bare uuid. */
export function shownUuid(description: string) {
  return z.uuid().meta({ description, example: '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f' });
}

/** Which way files go, seen from the tenant. */
export const direction = z.enum(['INBOUND', 'OUTBOUND', 'UNKNOWN']).meta({
  description: 'The direction of the transaction, by the partner of the endpoint; UNKNOWN where it has none.',
  example: 'OUTBOUND',
});

/** Why a file was not processed. */
export const faultCode = z
  .enum(FILE_FAULT_CODES)
  .meta({ description: 'Why it failed.', example: 'DELIVERY_FAILURE' });

/** The name of a partnership, which is the handle of the endpoint; a text that is none names nothing. */
export const partnershipId = z
  .string()
  .meta({ description: 'Handle of the endpoint.', example: 'acme_billing' });

/** The members `from` and `to`; whether a range includes its ends differs by call. */
export const processedRange = (ends: 'included' | 'left out') => {
  const or = ends === 'included' ? ' or at' : '';
  return {
    from: timeField(`Processed after${or} this time.`).optional(),
    to: timeField(`Processed before${or} this time.`).optional(),
  };
};

/** Refuses a range that ends before it begins: it selects nothing and is always a mistake. */
export function refuseReversed(
  { from, to }: { from?: string | undefined; to?: string | undefined },
  context: z.RefinementCtx,
): void {
  if (from !== undefined && to !== undefined && Date.parse(from) > Date.parse(to))
    context.addIssue({
      code: 'custom',
      path: ['to'],
      message: 'Expected a time that is not before `from`.',
      params: { code: 'out_of_range' },
    });
}
