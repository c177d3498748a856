import { useQuery } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { deliveryQueryOf } from '../../api/delivery-query.ts';
import { STATES } from '../../api/delivery-states.ts';
import { useEndpointNames } from '../../api/endpoint-names.ts';
import { useMissing } from '../../api/me.tsx';
import { usePreferences } from '../../api/preferences.tsx';
import { endpointsQuery } from '../../api/queries.ts';
import { inputList, type SearchInput } from '../../api/search-input.ts';
import { duration } from '../../format/durations.ts';
import { dateAndTime, fromInput, zoneName } from '../../format/times.ts';
import { sentence, words } from '../../format/words.ts';
import { Button } from '../../ui/button.tsx';
import { type Chip, Chips } from '../../ui/chips.tsx';
import styles from './filter-bar.module.css';
import { filterName } from './filter-names.ts';
import { FAULTS, noValueOf } from './filter-values.ts';

const TIMES = new Set(['from', 'to', 'lastAttemptBefore', 'lastAttemptAfter']);

const SPANS = [
  ['1 h', 3_600_000],
  ['6 h', 21_600_000],
  ['24 h', 86_400_000],
  ['7 d', 604_800_000],
] as const;

/** The filter of the URL as chips, and what adds to it. */
export function FilterBar({
  search,
  change,
}: {
  search: SearchInput;
  change: (change: SearchInput) => void;
}) {
  const nameOf = useEndpointNames();
  const { zone } = usePreferences();
  const query = deliveryQueryOf(search);
  const shown = (member: string, value: string) => {
    if (noValueOf(member, value) !== undefined) return `${value} (no such value)`;
    if (member === 'endpointIds') return nameOf(value);
    if (member === 'faultCodes' || member === 'state') return words(value);
    if (TIMES.has(member)) return `${dateAndTime(value, zone)} ${zoneName(zone)}`;
    if (member === 'blocking') return 'yes';
    return member === 'pendingLongerThanMs' ? duration(Number(value)) : value;
  };
  const chips = Object.entries(query).flatMap(([member, value]): Chip[] =>
    (Array.isArray(value) ? value : [value]).map((each) => ({
      key: `${member} ${each}`,
      name: filterName(member),
      value: shown(member, String(each)),
      remove: () => {
        const left = inputList(search[member])?.filter((other) => other !== String(each));
        // Without a state the screen would mean failures again.
        change({ [member]: left && left.length > 0 ? left : member === 'state' ? 'any' : undefined });
      },
    })),
  );
  return (
    <div className={styles.bar}>
      <Chips chips={chips}>
        {SPANS.map(([text, ms]) => (
          <Button
            key={text}
            small
            look="plain"
            onClick={() => change({ from: new Date(Date.now() - ms).toISOString(), to: undefined })}
          >
            Last {text}
          </Button>
        ))}
      </Chips>
      <AddFilter search={search} change={change} />
    </div>
  );
}

const ADDED = [
  'endpointIds',
  'faultCodes',
  'state',
  'httpStatus',
  'eventTypes',
  'key',
  'from',
  'to',
  'sources',
] as const;

function AddFilter({ search, change }: { search: SearchInput; change: (change: SearchInput) => void }) {
  const [member, setMember] = useState<string>('endpointIds');
  const [value, setValue] = useState('');
  const [refused, setRefused] = useState<string>();
  const said = useId();
  const { zone } = usePreferences();
  const mayRead = useMissing('read:endpoints') === undefined;
  const endpoints = useQuery({ ...endpointsQuery, enabled: mayRead });
  const choices =
    member === 'endpointIds' && mayRead
      ? (endpoints.data ?? []).map(({ id, handle }) => [id, handle] as const)
      : member === 'faultCodes'
        ? FAULTS.map((fault) => [fault, sentence(fault)] as const)
        : member === 'state'
          ? STATES.map((state) => [state, sentence(state)] as const)
          : undefined;
  const add = (text: string) => {
    const one = TIMES.has(member) ? fromInput(text, zone) : text.trim();
    const none = one ? noValueOf(member, one) : 'Say which one first.';
    setRefused(none);
    if (one === undefined || none !== undefined) return;
    setValue('');
    const single = TIMES.has(member) || member === 'key';
    const before = (inputList(search[member]) ?? []).filter((each) => each !== 'any');
    change({ [member]: single ? one : [...new Set([...before, one])] });
  };
  return (
    <form
      className={styles.add}
      onSubmit={(event) => {
        event.preventDefault();
        add(value);
      }}
    >
      <label>
        <span className="hidden-text">Filter by</span>
        <select
          data-filter
          value={member}
          onChange={({ target }) => {
            setMember(target.value);
            setValue('');
            setRefused(undefined);
          }}
        >
          {ADDED.map((each) => (
            <option key={each} value={each}>
              {filterName(each)}
            </option>
          ))}
        </select>
      </label>
      {choices ? (
        <select
          aria-label={filterName(member)}
          value=""
          onChange={({ target }) => (target.value === '' ? undefined : add(target.value))}
        >
          <option value="">Choose…</option>
          {choices.map(([id, text]) => (
            <option key={id} value={id}>
              {text}
            </option>
          ))}
        </select>
      ) : (
        <input
          aria-label={filterName(member)}
          type={TIMES.has(member) ? 'datetime-local' : 'text'}
          inputMode={member === 'httpStatus' ? 'numeric' : undefined}
          aria-invalid={refused !== undefined}
          aria-describedby={refused === undefined ? undefined : said}
          value={value}
          onChange={({ target }) => {
            setValue(target.value);
            setRefused(undefined);
          }}
        />
      )}
      {choices ? null : (
        <Button small type="submit">
          Add
        </Button>
      )}
      {refused === undefined ? null : (
        <p id={said} role="alert">
          {refused}
        </p>
      )}
    </form>
  );
}
