import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { planQuery } from '../../api/queries.ts';
import { inputText } from '../../api/search-input.ts';
import { planId } from '../../format/ids.ts';
import { useUrl } from '../../shell/url.ts';
import { Loaded } from '../../ui/notice.tsx';
import { PageHead } from '../../ui/page.tsx';
import { Draft } from './draft.tsx';
import { PlanView } from './plan-view.tsx';
import { NO_WORDS, type Words } from './words-fields.tsx';

/** From a selection to a plan, and from the plan to its execution: one page. */
export function RecoverScreen() {
  const [search] = useUrl();
  // Words that no URL may hold go from a plan to its draft, and back, by memory.
  const [given, setGiven] = useState(NO_WORDS);
  const plan = inputText(search.plan);
  return plan === undefined ? (
    <Draft search={search} given={given} onGiven={setGiven} />
  ) : (
    <Planned id={planId(plan)} onChange={setGiven} />
  );
}

function Planned({ id, onChange }: { id: string; onChange: (given: Words) => void }) {
  const query = useQuery(planQuery(id));
  return query.data ? (
    <PlanView plan={query.data} onChange={onChange} />
  ) : (
    <>
      <PageHead title="Recover" />
      <Loaded query={query} what="the plan">
        {() => null}
      </Loaded>
    </>
  );
}
