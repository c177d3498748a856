import {
  CLOSURE_TYPE,
  closureFault,
  errorOf,
  hasCode,
  isClosureOf,
  type Jwk,
  type Jws,
  verifyJws,
} from '@redrive/client';
import { useQuery } from '@tanstack/react-query';
import { Link, Navigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { client } from '../../api/client.ts';
import { jwksQuery, reportQuery } from '../../api/queries.ts';
import { isPlanId, operationId } from '../../format/ids.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { DownloadButton } from '../../ui/download.tsx';
import { Loaded, Notice } from '../../ui/notice.tsx';
import { PageHead, Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { IdText } from '../../ui/text.tsx';
import { LedgerCheck } from './ledger-check.tsx';
import styles from './report.module.css';
import { SettledSince } from './settled-since.tsx';
import { SignedReport } from './signed-report.tsx';
import { UnsignedReport } from './unsigned-report.tsx';
import { Verification } from './verification.tsx';

const JOSE = 'application/jose+json';

/** The closure report of an operation: what was signed is what is shown, and it is verified here. */
export function ReportScreen() {
  const { id } = useParams({ from: '/operations/$id/report' });
  return isPlanId(id) ? (
    <Navigate to="/operations/$id/report" params={{ id: operationId(id) }} replace />
  ) : (
    <Report id={id} />
  );
}

function Report({ id }: { id: string }) {
  const signed = useQuery({
    queryKey: ['jws', id],
    queryFn: async ({ signal }): Promise<Jws> => {
      const response = await client.raw(`/api/v1/retries/${id}/report`, {
        headers: { accept: JOSE },
        signal,
      });
      const body: unknown = await response.json().catch(() => undefined);
      if (!response.ok) throw errorOf(body, response);
      return body as Jws;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
  const refusal = hasCode(signed.error, 'state_conflict') ? signed.error.problem.detail : undefined;
  const plain = useQuery({ ...reportQuery(id), enabled: refusal !== undefined });
  return (
    <article className={styles.report}>
      <PageHead
        title="Closure report"
        beside={<IdText id={id} whole />}
        actions={
          <>
            <Link to="/operations/$id" params={{ id }} className={buttonClass()}>
              Back to the operation
            </Link>
            {signed.data ? (
              <>
                <DownloadButton path={`/api/v1/retries/${id}/report`} accept={JOSE} name={`${id}.jws.json`}>
                  Download the JWS
                </DownloadButton>
                <DownloadButton
                  path={`/api/v1/retries/${id}/items`}
                  accept="application/x-ndjson"
                  name={`${id}.ledger.ndjson`}
                >
                  Download the ledger
                </DownloadButton>
                <Button onClick={() => print()}>Print</Button>
              </>
            ) : null}
          </>
        }
      />
      {refusal !== undefined ? (
        <Loaded query={plain} what="the report">
          {(report) => <UnsignedReport report={report} detail={refusal} />}
        </Loaded>
      ) : (
        <Loaded query={signed} what="the report">
          {(jws) => <Verified id={id} jws={jws} />}
        </Loaded>
      )}
    </article>
  );
}

function Verified({ id, jws }: { id: string; jws: Jws }) {
  const served = useQuery(jwksQuery);
  const [pinned, setPinned] = useState<{ name: string; keys: Jwk[] }>();
  return (
    <Loaded query={served} what="the keys">
      {({ keys }) => {
        const trusted = { keys: pinned?.keys ?? keys };
        const verdict = verifyJws(jws, trusted);
        const closure =
          verdict.holds && verdict.type === CLOSURE_TYPE && isClosureOf(verdict.payload, id)
            ? verdict.payload
            : undefined;
        const wrong = closure && closureFault(closure);
        return (
          <>
            <Verification verdict={verdict} pinned={pinned?.name} onPin={setPinned} />
            {wrong ? (
              <Notice tone="bad" title="It is signed, but what it says does not hold" live>
                <p>{wrong.why}</p>
              </Notice>
            ) : closure && verdict.holds ? (
              <>
                <SignedReport closure={closure} />
                <SettledSince closure={closure} digest={verdict.digest} keys={trusted} />
                <LedgerCheck closure={closure} />
              </>
            ) : verdict.holds ? (
              <Notice tone="bad" title="It is signed, but it is no report about this operation" live>
                <p>What was signed names another operation or another form. Do not rely on it.</p>
              </Notice>
            ) : (
              <Section title="The report" aside={<State state="failed" text="Not shown" />}>
                <p>
                  A report that cannot be verified is not shown. Load it again, or ask whoever runs this
                  server.
                </p>
              </Section>
            )}
          </>
        );
      }}
    </Loaded>
  );
}
