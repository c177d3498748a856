import type { Acts } from '../../../api/log-acts.ts';

/** The changes in the administration of signers and their rules: each leaves one line in the log. */
export const ACTS: Acts = {
  'post /api/v1/signers': 'signer.made',
  'delete /api/v1/signers/{id}': 'signer.removed',
  'post /api/v1/access-rules': 'access_rule.made',
  'delete /api/v1/access-rules/{id}': 'access_rule.removed',
};
