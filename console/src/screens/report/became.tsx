import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Schema } from '../../api/client.ts';
import { Equation } from '../../ui/charts/equation.tsx';
import { Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';

/** The counts of an operation that has ended, each of which leads to its lines. */
export function Became({
  id,
  state,
  counts,
  children,
}: {
  id: string;
  state: string;
  counts: Schema<'OperationCounts'>;
  children?: ReactNode;
}) {
  return (
    <Section title="What became of each delivery" aside={<State state={state} />}>
      <Equation
        counts={counts}
        link={(part, words) => (
          <Link to="/operations/$id/items" params={{ id }} search={part ? { state: part } : {}}>
            {words}
          </Link>
        )}
      />
      {children}
    </Section>
  );
}
