/** A stretch of time, its end excluded. Milliseconds on one clock. */
export interface Span {
  fromMs: number;
  toMs: number;
}

/** The same times in spans that are in order and do not touch. */
export function united(spans: readonly Span[]): Span[] {
  const result: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = result.at(-1);
    if (last && span.fromMs <= last.toMs) last.toMs = Math.max(last.toMs, span.toMs);
    else result.push({ ...span });
  }
  return result;
}

/** The times that all of some lists have; each list in order and without overlap. None of no list. */
export function common([first = [], ...others]: readonly (readonly Span[])[]): Span[] {
  return others.reduce<Span[]>(
    (shared, list) =>
      shared.flatMap(({ fromMs, toMs }) =>
        list
          .map((span) => ({ fromMs: Math.max(fromMs, span.fromMs), toMs: Math.min(toMs, span.toMs) }))
          .filter((span) => span.fromMs < span.toMs),
      ),
    [...first],
  );
}

/**
 * When something is over that begins at 0 and takes so long, where it stands still in these spans, which are in order
 * and do not overlap; infinite where it stands still for ever.
 */
export function endsAt(lastsMs: number, stillIn: readonly Span[]): number {
  let endMs = lastsMs;
  for (const { fromMs, toMs } of stillIn) {
    const standsFromMs = Math.max(0, fromMs);
    if (standsFromMs >= endMs) break;
    endMs += Math.max(0, toMs - standsFromMs);
  }
  return endMs;
}
