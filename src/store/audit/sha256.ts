import { createHash } from 'node:crypto';
import type { Sha256 } from '../../domain/audit/audit-entry.ts';

/** SHA-256 as the audit chain takes it. */
export const sha256Hex: Sha256 = (text) => createHash('sha256').update(text).digest('hex');
