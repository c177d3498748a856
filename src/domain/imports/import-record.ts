import type { AttemptOutcome } from '../sending/classification.ts';
import type { FaultCode } from '../sending/fault-code.ts';
import type { RefusalReason } from './line-words.ts';

/** The formats whose lines can be read. */
export const IMPORT_FORMATS = ['ndjson', 'svix', 'hookdeck', 'convoy', 'sqs', 'stripe'] as const;

/** One of {@link IMPORT_FORMATS}. */
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** The name of the endpoint in formats whose lines name none. */
export const ANY_ENDPOINT = '*';

/** How an attempt of another system ended. */
export interface ForeignEnding {
  outcome: Exclude<AttemptOutcome, 'released'>;
  faultCode?: FaultCode;
  httpStatus?: number;
}

/** One request that another system made. */
export interface ForeignAttempt extends ForeignEnding {
  /** Tells it from the others of its delivery: their id of it, or when and how it ended. */
  key: string;
  /** RFC 3339, in UTC. */
  at: string;
  durationMs: number;
  /** What it was answered. */
  excerpt?: string;
}

/** What became of a delivery there. */
export type ForeignState = 'failed' | 'delivered';

/** A delivery of another system, to an endpoint by their name. */
export interface ForeignDelivery {
  endpoint: string;
  state: ForeignState;
  attempts: ForeignAttempt[];
  /** An attempt of it may have arrived, or nobody can tell. */
  mayHaveArrived: boolean;
}

/** An event of another system, with the delivery that its line is about. */
export interface EventRecord {
  kind: 'event';
  externalId: string;
  type: string;
  source?: string;
  key?: string;
  occurredAt?: string;
  /** Exactly as it stands in the line. */
  body: string;
  /** The members that the format does not know, as JSON. */
  members?: string;
  delivery?: ForeignDelivery;
}

/** Attempts of an event that another line has brought. */
export interface AttemptsRecord {
  kind: 'attempts';
  externalId: string;
  source?: string;
  delivery: ForeignDelivery;
}

/** Why a line is not taken; by the name of the member where one is at fault. */
export interface LineRefusal {
  kind: 'refused';
  reason: RefusalReason;
  member?: string;
  /** The endpoint that nothing stands for. */
  theirs?: string;
}

/** A line in the one form that all formats become. */
export type ImportRecord = EventRecord | AttemptsRecord | LineRefusal;

/** What a format may ask besides the line. */
export interface ReadingContext {
  nowMs: number;
  /** The type and the source of events whose lines have none. */
  eventType?: string;
  source?: string;
}

/** A line as its format gets it: a JSON object, and its text. */
export interface SourceLine {
  value: Record<string, unknown>;
  text: string;
}

/** Reads the lines of one format. */
export type FormatReader = (line: SourceLine, context: ReadingContext) => ImportRecord;
