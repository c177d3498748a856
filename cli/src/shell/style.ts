import { safe } from '../core/text.ts';

/** How texts look on a terminal; elsewhere they stay as they are. */
export interface Style {
  bold: (text: string) => string;
  dim: (text: string) => string;
  red: (text: string) => string;
  green: (text: string) => string;
  yellow: (text: string) => string;
}

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;

/** Styles for a stream that takes colours, or for one that does not. */
export function styleFor(colours: boolean): Style {
  const style = (name: keyof typeof CODES) => (text: string) =>
    colours ? `\u001b[${CODES[name][0]}m${text}\u001b[${CODES[name][1]}m` : text;
  return {
    bold: style('bold'),
    dim: style('dim'),
    red: style('red'),
    green: style('green'),
    yellow: style('yellow'),
  };
}

const OWN = new RegExp(`(\\u001b\\[(?:${Object.values(CODES).flat().join('|')})m)`);

/** A line in which nothing moves a cursor or reads otherwise than it is written: its own colours stay, where there are any. */
export function guarded(line: string, colours: boolean): string {
  if (!colours) return safe(line);
  // Every second part is what was split by.
  return line
    .split(OWN)
    .map((part, at) => (at % 2 === 1 ? part : safe(part)))
    .join('');
}

/** What a stream of this process can do. */
export interface Screen {
  /** It is a terminal: somebody looks at it. */
  terminal: boolean;
  /** Lines on it can be drawn again. */
  redraws: boolean;
  colours: boolean;
  readonly columns: number;
}

/** Judges a stream by what it is and what the environment says of it. */
export function screenOf(
  stream: { isTTY?: boolean; columns?: number },
  env: Readonly<Record<string, string | undefined>>,
): Screen {
  const terminal = stream.isTTY === true;
  const capable = terminal && env.TERM !== 'dumb';
  return {
    terminal,
    redraws: capable,
    colours: capable && !env.NO_COLOR,
    // As it is now: a window changes its size.
    get columns() {
      return stream.columns && stream.columns > 0 ? stream.columns : 80;
    },
  };
}
