import { type Closure, checkLedger, errorOf } from '@redrive/client';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { client } from '../../api/client.ts';
import { counted, whole } from '../../format/numbers.ts';
import { Button } from '../../ui/button.tsx';
import { Notice, Refusal } from '../../ui/notice.tsx';
import { Section, Stack } from '../../ui/page.tsx';
import { IdText, Quiet } from '../../ui/text.tsx';

/** Reads every line of the ledger: compares its hash tree with the one that was signed, and what became of each with the counts. */
export function LedgerCheck({ closure }: { closure: Closure }) {
  const { ledger, operation } = closure;
  const [lines, setLines] = useState(0);
  const check = useMutation({
    mutationFn: async () => {
      const response = await client.raw(`/api/v1/retries/${operation}/items`, {
        headers: { accept: 'application/x-ndjson' },
      });
      if (!response.ok || !response.body)
        throw errorOf(await response.json().catch(() => undefined), response);
      return checkLedger(response.body, closure, setLines);
    },
  });
  return (
    <Section title="The ledger" aside={counted(ledger.lines, 'line')}>
      <Stack>
        <p>
          Root <IdText id={ledger.merkleRoot} whole />
        </p>
        <p>
          <Button busy={check.isPending} onClick={() => check.mutate()}>
            Check every line
          </Button>{' '}
          {check.isPending ? <Quiet>{whole(lines)} read…</Quiet> : null}
        </p>
        {check.data === undefined ? null : check.data.ok ? (
          <Notice tone="good" title={`All ${whole(ledger.lines)} lines are those that were signed`} live>
            <p>The counts of the report are those of its lines.</p>
          </Notice>
        ) : check.data.fault === 'counts' ? (
          <Notice tone="bad" title="The counts of this report are not those of its lines" live>
            <p>{check.data.why}</p>
          </Notice>
        ) : (
          <Notice tone="bad" title="These lines are not those that were signed" live>
            <p>Some are missing, added or changed. Download both and compare them elsewhere.</p>
          </Notice>
        )}
        {check.error ? <Refusal error={check.error} /> : null}
      </Stack>
    </Section>
  );
}
