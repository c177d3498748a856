import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';

/** The size of the pictures that the README shows. */
export const PICTURE_SIZE = { width: 1280, height: 800 };

const FOLDER = fileURLToPath(new URL('../../../docs/pictures/', import.meta.url));

/** The pictures are committed, and a run of the tests changes nothing that is: it takes them anew where it is told to. */
const wanted = process.env.REDRIVE_TEST_PICTURES === 'write';

/** Keeps a picture of a page for the README, as small as one can read it. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  if (!wanted) return;
  await page.evaluate(
    'scrollTo(0, 0); document.activeElement?.blur(); new Promise((r) => setTimeout(r, 500))',
  );
  // Chromium itself writes WebP, a third of a PNG; the library that drives it does not ask for it.
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 80 });
  await session.detach();
  await mkdir(FOLDER, { recursive: true });
  await writeFile(`${FOLDER}${name}.webp`, Buffer.from(data, 'base64'));
}
