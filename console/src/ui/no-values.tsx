import type { NoValue } from '../format/filter-forms.ts';
import { Button } from './button.tsx';
import { Notice } from './notice.tsx';

/** Says of a filter with values that are none that it matches nothing, and why; without such values it says nothing. */
export function NoValues({
  found,
  nameOf,
  onRemove,
}: {
  found: readonly NoValue[];
  /** What a member is called. */
  nameOf: (member: string) => string;
  /** Takes such a value away, where nothing else on the screen does. */
  onRemove?: (value: NoValue) => void;
}) {
  return found.length === 0 ? null : (
    <Notice tone="bad" title="This filter matches nothing" live>
      <ul>
        {found.map((each) => (
          <li key={`${each.member} ${each.value}`}>
            {nameOf(each.member)}: {each.why}{' '}
            {onRemove ? (
              <Button small onClick={() => onRemove(each)}>
                Take it away
              </Button>
            ) : null}
          </li>
        ))}
      </ul>
      <p>Take it away, or put another in its place.</p>
    </Notice>
  );
}
