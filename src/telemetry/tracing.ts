/** Facts of a span: ids, codes and numbers, never a URL, a header, a payload or a customer's word. */
export type TraceFacts = Record<string, string | number | boolean>;

/** Something that takes time, of a call that was sampled. */
export interface TraceSpan {
  /** How others name it, in the form of W3C's `traceparent`. */
  readonly traceparent: string;
  child(name: string, facts?: TraceFacts): TraceSpan;
  set(facts: TraceFacts): void;
  event(name: string, facts: TraceFacts): void;
  end(how?: { failed: boolean }): void;
}

/** Where spans begin. There is none where no collector is named: nothing of it is loaded then. */
export interface Tracing {
  /** Begins a trace, for one call of many: which, the dice say, and never the caller. The others have no facts made. */
  begin(name: string, facts: () => TraceFacts): TraceSpan | undefined;
  /** Begins a trace that links to one that is long over. */
  follow(name: string, traceparent: string, facts: TraceFacts): TraceSpan;
  /** Whether one of the many parts of a span gets a span of its own. */
  picks(): boolean;
  /** Hands over what has ended, for a moment at most. */
  stop(): Promise<void>;
}
