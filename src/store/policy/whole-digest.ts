import { canonicalJson } from '../../domain/json/canonical-json.ts';
import { sha256Hex } from '../audit/sha256.ts';

/** The digest of what is set as a whole, a policy, ceilings or floors: over its RFC 8785 JSON. */
export function wholeDigest(whole: object): string {
  return sha256Hex(canonicalJson(JSON.parse(JSON.stringify(whole))));
}
