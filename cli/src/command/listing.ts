import { usage } from '../core/stop.ts';
import type { Column } from '../core/table.ts';
import { counted } from '../core/text.ts';
import type { Context } from '../shell/context.ts';
import { value } from './command.ts';

const STANDARD = 50;
/** The most that a page holds. */
const PAGE = 500;

/** `50`, or `all`. */
function parseLimit(text: string): number {
  if (text === 'all') return Number.POSITIVE_INFINITY;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw usage(`Expected a number, or all, not "${text}".`);
  return Number(text);
}

/** How many of a list are shown. */
export const LIMIT_FLAG = {
  limit: value('<n|all>', `how many at most; ${STANDARD} where left out`, parseLimit),
};

interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

/** A page's parameters. */
export type PageQuery = { limit: number; cursor?: string };

/** Writes a list page by page, and says where it was cut. */
export async function writeList<Item>(
  { out, speaker }: Context,
  { limit }: { limit?: number | undefined },
  page: (query: PageQuery) => Promise<Page<Item>>,
  columns: readonly Column<Item>[],
): Promise<number> {
  let isCut = false;
  const written = await out.list(
    upTo(limit ?? STANDARD, page, () => {
      isCut = true;
    }),
    columns,
  );
  const cut = `The first ${counted(written, 'line')}: --limit all shows all.`;
  // Said in any case where nobody asked for so few: whatever reads them would take them for all.
  if (isCut && limit === undefined) speaker.must(cut);
  else if (isCut) speaker.say(cut);
  else if (written === 0 && out.form === 'table') speaker.say('None.');
  return written;
}

/** The items of a list, page by page; `onCut` is told where it has more. */
export async function* upTo<Item>(
  limit: number,
  page: (query: PageQuery) => Promise<Page<Item>>,
  onCut?: (cursor: string) => void,
): AsyncGenerator<Item> {
  let left = limit;
  let cursor: string | undefined;
  do {
    const { items, nextCursor } = await page({
      limit: Math.min(left, PAGE),
      ...(cursor === undefined ? {} : { cursor }),
    });
    yield* items;
    left -= items.length;
    cursor = nextCursor ?? undefined;
    if (left <= 0 && cursor !== undefined) return onCut?.(cursor);
  } while (cursor !== undefined);
}

/** A list as one value, for one that is a part of something; says where it was cut. */
export async function wholeList<Item>(
  { speaker }: Context,
  limit: number,
  page: (query: PageQuery) => Promise<Page<Item>>,
): Promise<Page<Item>> {
  const items: Item[] = [];
  let nextCursor: string | null = null;
  const all = upTo(limit, page, (cursor) => {
    nextCursor = cursor;
  });
  for await (const item of all) items.push(item);
  if (nextCursor !== null) speaker.say(`The first ${counted(items.length, 'line')}: --limit all shows all.`);
  return { items, nextCursor };
}
