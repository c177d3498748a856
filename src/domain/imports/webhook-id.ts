import { ID_PREFIXES } from '../tenancy/typed-id.ts';

/** A full stop divides what is signed, and other characters may be lost in a header. */
const WEBHOOK_ID = /^[\x21-\x2d\x2f-\x7e]{1,255}$/;

/** Whether a delivery can be sent with this id: as a header, signed, and not to be taken for one of ours. */
export function isWebhookId(text: string): boolean {
  return WEBHOOK_ID.test(text) && !text.startsWith(`${ID_PREFIXES.delivery}_`);
}
