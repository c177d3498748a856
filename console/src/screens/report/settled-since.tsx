import { answerOf, type Closure, checkAddenda, type KeySet } from '@redrive/client';
import { useQuery } from '@tanstack/react-query';
import { calls, type Schema } from '../../api/client.ts';
import { counted } from '../../format/numbers.ts';
import { Equation } from '../../ui/charts/equation.tsx';
import { Loaded, Notice } from '../../ui/notice.tsx';
import { Section } from '../../ui/page.tsx';

/** What was settled since a report was signed: its addenda are verified here, and added up with it. */
export function SettledSince({
  closure,
  digest,
  keys,
}: {
  closure: Closure;
  /** Of what was signed. */
  digest: string;
  keys: KeySet;
}) {
  const { operation: id } = closure;
  const query = useQuery({
    queryKey: ['addenda', id],
    queryFn: ({ signal }) => allAddenda(id, signal),
  });
  return (
    <Loaded query={query} what="what was settled since">
      {(addenda) => {
        if (addenda.length === 0) return null;
        const verdict = checkAddenda(addenda, { closure, digest }, keys);
        return (
          <Section title="Settled since" aside={counted(addenda.length, 'addendum', 'addenda')}>
            {verdict.ok ? (
              <>
                <p>
                  The report stays as it was signed. Its addenda are signed as well, none is missing, and
                  their items add up: with them it comes to this.
                </p>
                {/* No list has just so many: the ledger is as it was signed. */}
                <Equation counts={verdict.countsNow} link={(_, children) => children} />
              </>
            ) : (
              <Notice tone="bad" title="What was settled since does not hold" live>
                <p>{verdict.why}</p>
              </Notice>
            )}
          </Section>
        );
      }}
    </Loaded>
  );
}

/** All of them, for none may be missing between the first and the last. */
async function allAddenda(id: string, signal: AbortSignal): Promise<Schema<'ReportAddendum'>[]> {
  const found: Schema<'ReportAddendum'>[] = [];
  let cursor: string | null = null;
  do {
    const query: { limit: number; cursor?: string } = { limit: 10, ...(cursor === null ? {} : { cursor }) };
    const page: { items: Schema<'ReportAddendum'>[]; nextCursor: string | null } = await answerOf(
      calls.GET('/api/v1/retries/{id}/report/addenda', { params: { path: { id }, query }, signal }),
    );
    found.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return found;
}
