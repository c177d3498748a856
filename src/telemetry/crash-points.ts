/**
 * Places at which a process can be made to end, to see that nothing is lost there: after each commit and before what
 * follows it. Only tests install anything here; nothing that is shipped reads an environment for it.
 */
export const CRASH_POINTS = [
  /** The operation is committed, its workflow not started. */
  'accepted',
  /** What somebody said to an operation or a plan is committed, its workflow not told. */
  'said',
  /** A page of a selection is written, not committed. */
  'selecting',
  /** A page of a selection is committed, what follows not begun. */
  'selected_page',
  /** A plan is committed as a whole, nobody has been told. */
  'planned',
  /** Items are claimed, none of them sent. */
  'claimed',
  /** A request is on the wire, its answer not there. */
  'requested',
  /** An answer is there, and not recorded. */
  'answered',
  /** Outcomes are recorded, their claim not ended. */
  'recorded',
  /** Claims whose lease has passed are settled, not committed. */
  'settling',
  /** What another worker has left behind is this one's, nothing of it claimed. */
  'taken_over',
  /** Unsent items of an operation that is cancelled are cancelled, what follows not begun. */
  'cancelling',
  /** The counts are frozen, no line is hashed. */
  'frozen',
  /** Some lines are hashed and stored, what follows not begun. */
  'hashed',
  /** The report is signed, not committed. */
  'closing',
  /** The operation is closed, its workflow does not know. */
  'closed',
  /** The events that tell facts are written, not committed. */
  'telling',
  /** A batch of imported lines is written, not committed. */
  'importing',
] as const;

/** One of {@link CRASH_POINTS}. */
export type CrashPoint = (typeof CRASH_POINTS)[number];

/** One that a worker reaches; the others are the API's. */
export type WorkerCrashPoint = Exclude<CrashPoint, 'accepted' | 'said' | 'importing'>;

/** Whether a worker reaches a crash point. */
export function isOfWorker(point: CrashPoint): point is WorkerCrashPoint {
  return point !== 'accepted' && point !== 'said' && point !== 'importing';
}

let reached: ((point: CrashPoint) => void) | undefined;

/** Calls `at` whenever a crash point is reached, from now on. */
export function installCrashPoints(at: (point: CrashPoint) => void): void {
  reached = at;
}

/** Marks a place; nothing happens here but in tests. */
export function crashPoint(point: CrashPoint): void {
  reached?.(point);
}

/** Whether anybody asks: for places that would cost something to mark. */
export function crashPointsInstalled(): boolean {
  return reached !== undefined;
}
