import { useQuery } from '@tanstack/react-query';
import { planQuery } from '../../api/queries.ts';
import { inputText } from '../../api/search-input.ts';
import { useUrl } from '../../shell/url.ts';
import { Loaded } from '../../ui/notice.tsx';
import { PageHead } from '../../ui/page.tsx';
import { Draft } from './draft.tsx';
import { PlanView } from './plan-view.tsx';

/** From a selection to a plan, and from the plan to its execution: one page. */
export function RecoverScreen() {
  const [search] = useUrl();
  const plan = inputText(search.plan);
  return plan === undefined ? <Draft search={search} /> : <Planned id={plan} />;
}

function Planned({ id }: { id: string }) {
  const query = useQuery(planQuery(id));
  return query.data ? (
    <PlanView plan={query.data} />
  ) : (
    <>
      <PageHead title="Recover" />
      <Loaded query={query} what="the plan">
        {() => null}
      </Loaded>
    </>
  );
}
