import type { Chore, ChoreDeps } from '../loops/chore.ts';
import type { ReportSigner } from './report-signer.ts';
import { signAddenda } from './sign-addenda.ts';

/** The chore that tells what was settled after its operation had closed. */
export function addendaChore({ pool, stop, count }: ChoreDeps, signer: ReportSigner): Chore {
  return {
    name: 'addenda',
    async run() {
      const signed = await signAddenda(pool, signer, stop);
      if (signed > 0) count('addendum_signed', signed);
    },
  };
}
