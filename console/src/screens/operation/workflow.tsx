import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Schema } from '../../api/client.ts';
import { workflowQuery } from '../../api/queries.ts';
import { bytes, whole } from '../../format/numbers.ts';
import { sentence } from '../../format/words.ts';
import { CopyButton } from '../../ui/copy.tsx';
import { Loaded, Notice } from '../../ui/notice.tsx';
import { Facts, Section, Stack } from '../../ui/page.tsx';
import { IdText, Quiet, Time } from '../../ui/text.tsx';
import type { Operation } from './operation-screen.tsx';

/** The workflow of an operation: its id, and on a click what Temporal tells of it. */
export function Workflow({ operation: { id, workflowId } }: { operation: Operation }) {
  const [asked, setAsked] = useState(false);
  const query = useQuery({ ...workflowQuery(id), enabled: asked });
  return (
    <Section
      title="Workflow"
      aside={
        <>
          <IdText id={workflowId} whole /> <CopyButton text={workflowId} what="the workflow id" />
        </>
      }
    >
      <details onToggle={({ currentTarget }) => setAsked(currentTarget.open)}>
        <summary>As Temporal tells it</summary>
        {asked ? (
          <Loaded query={query} what="the workflow">
            {(workflow) => <Told {...workflow} />}
          </Loaded>
        ) : null}
      </details>
    </Section>
  );
}

function Told({ answers, run }: Schema<'OperationWorkflow'>) {
  if (!answers)
    return (
      <Notice tone="care" title="Temporal does not answer">
        <p>What has begun is sent all the same. Steps that follow wait until Temporal is back.</p>
      </Notice>
    );
  if (run === null)
    return <Quiet>Temporal knows no run of it: it is not started yet, or closed long ago.</Quiet>;
  const { page, progress, pendingActivities } = run;
  return (
    <Stack>
      <Facts
        facts={{
          Status: sentence(run.status),
          'Step that follows': progress
            ? [progress.step, progress.until].filter(Boolean).join(', until ')
            : undefined,
          'Under way':
            pendingActivities.length === 0
              ? 'nothing'
              : pendingActivities.map(({ type, attempt }) => `${type}, attempt ${attempt}`).join('; '),
          History: `${whole(run.historyLength)} events${run.historyBytes === null ? '' : `, ${bytes(run.historyBytes)}`}`,
          Began: <Time at={run.startedAt} whole />,
          Ended: run.closedAt === null ? undefined : <Time at={run.closedAt} whole />,
        }}
      />
      {page === null ? (
        <Quiet>Its page is linked here where REDRIVE_TEMPORAL_UI_URL names the Temporal UI.</Quiet>
      ) : (
        <p>
          <a href={page} target="_blank" rel="noreferrer">
            Open it in the Temporal UI
          </a>
        </p>
      )}
    </Stack>
  );
}
