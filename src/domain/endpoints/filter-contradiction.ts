import {
  conditionHolds,
  type EventFilter,
  type FilterCondition,
  type FilterFault,
  type FilterScalar,
  pathNames,
} from './event-filter.ts';

/** Conditions of a filter that no payload can satisfy, for an endpoint that has them would never be sent anything. */
export function contradictions(filter: EventFilter): FilterFault[] {
  const conditions = Object.entries(filter).map(([path, condition]) => ({
    path,
    names: pathNames(path),
    condition: conditionOf(condition),
  }));
  return conditions.flatMap(({ path, names, condition }) => {
    if (!canHold(condition))
      return [fault(path, 'No value satisfies all of this: correct it, or leave a part out.')];
    const above = conditions.find(
      (other) =>
        names.length > other.names.length &&
        other.names.every((name, index) => name === names[index]) &&
        !conditionHolds(other.condition, {}),
    );
    return above && !conditionHolds(condition, undefined)
      ? [fault(path, 'No value is here where the condition on the path above it holds.')]
      : [];
  });
}

function fault(path: string, message: string): FilterFault {
  return { path: [path], code: 'never_matches', message };
}

function conditionOf(condition: FilterScalar | FilterCondition): FilterCondition {
  return typeof condition === 'object' && condition !== null ? condition : { $eq: condition };
}

function canHold(condition: FilterCondition): boolean {
  if (condition.$exists === false) return conditionHolds(condition, undefined);
  const only = condition.$in ?? ('$eq' in condition ? [condition.$eq] : undefined);
  if (only) return only.some((value) => conditionHolds(condition, value));
  const { $gt, $gte, $lt, $lte } = condition;
  const lower = [$gt, $gte].filter((bound) => bound !== undefined);
  const upper = [$lt, $lte].filter((bound) => bound !== undefined);
  if (new Set([...lower, ...upper].map((bound) => typeof bound)).size > 1) return false;
  return lower.every((from) =>
    upper.every((to) => from < to || (from === to && conditionHolds(condition, from))),
  );
}
