import type { Acts } from '../../../api/log-acts.ts';

/** The changes in the administration of signers and their rules: each leaves one line in the log. */
export const ACTS: Acts = {
  'post /api/v1/signers': { event: 'signer.made', of: 'signer' },
  'delete /api/v1/signers/{id}': { event: 'signer.removed', of: 'signer' },
  'post /api/v1/access-rules': { event: 'access_rule.made', of: 'accessRule' },
  'delete /api/v1/access-rules/{id}': { event: 'access_rule.removed', of: 'accessRule' },
};
