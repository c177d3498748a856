import { existsSync, mkdirSync, openSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { type DestinationStream, type LevelWithSilent, type Logger, pino, stdTimeFunctions } from 'pino';
import { redactFields, redactText } from './redaction.ts';

/** The logger that is handed to everything that logs; `child({ … })` adds fields to each line. */
export type Log = Logger;

/** Where lines go; standard output when absent. */
export type LoggerOptions = { level: LevelWithSilent; destination?: DestinationStream };

/**
 * Makes the process' logger: JSON lines with an ISO time and the level by name. Whatever is passed, the values of
 * secret keys, payloads, headers, URLs and error messages do not reach a line, and secrets that can be told
 * by their form are cut out of any text. Put facts into fields, with names that say what they are.
 */
export function createLogger({ level, destination }: LoggerOptions): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => redactFields(fields) as Record<string, unknown>,
      },
      hooks: {
        logMethod(args, method) {
          const [first, second] = args as [unknown, unknown];
          // Without a message of its own pino writes the error's, which may say anything.
          const error = first instanceof Error ? first : errorIn(first);
          if (error !== undefined && typeof second !== 'string')
            method.call(this, fieldsOf(first), error.name);
          else if (first instanceof Error) method.call(this, { err: first }, ...(args.slice(1) as [string]));
          else method.apply(this, args);
        },
        streamWrite: redactText,
      },
    },
    destination ?? pino.destination({ sync: false }),
  );
  return withRedactedBindings(logger);
}

/** A new file to log into; the one before it is kept under another name, once. Throws where it cannot be written. */
export function logInto(file: string): DestinationStream {
  mkdirSync(dirname(file), { recursive: true });
  if (existsSync(file)) renameSync(file, `${file}.1`);
  return pino.destination({ dest: openSync(file, 'w', 0o600), sync: false });
}

/** pino passes the fields of a child by its formatters: they are cleaned before they get there. */
function withRedactedBindings(logger: Logger): Logger {
  const child = logger.child;
  logger.child = function (this: Logger, bindings: object, options?: object) {
    return child.call(this, redactFields(bindings) as Record<string, unknown>, options);
  } as Logger['child'];
  return logger;
}

function errorIn(fields: unknown): Error | undefined {
  return typeof fields === 'object' && fields !== null && 'err' in fields && fields.err instanceof Error
    ? fields.err
    : undefined;
}

function fieldsOf(first: unknown): object {
  return first instanceof Error ? { err: first } : (first as object);
}
