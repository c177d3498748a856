import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { exportJWK, FlattenedSign, generateKeyPair } from 'jose';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { useBrowser } from '../support/browser/use-browser.ts';
import { useConsole } from '../support/browser/use-console.ts';
import { createScene } from '../support/engine/recovery-scene.ts';
import { ok, status } from '../support/receivers/receiver-behaviour.ts';
import { closedAfterEach } from '../support/use.ts';

/** A report that is well signed, by a server that says something else than its own lines do. */

describeInBrowser('a report whose counts do not hold', () => {
  const redrive = useConsole();
  const browser = useBrowser();
  const closed = closedAfterEach();

  test('is told from its lines, from its addenda, and from one that does not add up', async () => {
    const scene = closed(await createScene(redrive.engine, [ok, status(400)], undefined, { tenant: 'acme' }));
    await scene.seed(10);
    const { id } = await scene.retries.start({ select: { filter: { state: ['failed'] } } });
    await scene.retries.ended(id);
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
    const key = { ...(await exportJWK(publicKey)), kid: 'own', use: 'sig', alg: 'EdDSA' };
    const page = await browser.newPage();
    await page.route('**/.well-known/redrive/jwks.json', (route) => route.fulfill({ json: { keys: [key] } }));
    let says: object = {};
    let digest = '';
    await page.route('**/report', async (route) => {
      const { accept } = route.request().headers();
      if (!accept?.includes('jose')) return route.fallback();
      const jws = await (await route.fetch()).json();
      const decoded = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString());
      const said = decoded(jws.payload);
      const bytes = Buffer.from(JSON.stringify({ ...said, counts: { ...said.counts, ...says } }));
      digest = createHash('sha256').update(bytes).digest('hex');
      const header = { ...decoded(jws.protected), kid: 'own' };
      await route.fulfill({
        json: await new FlattenedSign(bytes).setProtectedHeader(header).sign(privateKey),
      });
    });
    await page.goto(await redrive.signedIn('acme'));
    await page.getByRole('heading', { level: 1, name: 'Now' }).waitFor();

    says = { delivered: 10, failed: 0 };
    const report = page.url().replace(/console.*/, `console/operations/${id}/report`);
    await page.goto(report);
    await page.getByRole('button', { name: 'Check every line' }).click();
    await page.getByText('The counts of this report are not those of its lines').waitFor();
    await page.getByText('says that 10 are delivered, and of the lines of its ledger 5 are').waitFor();

    const addendum = async (counts: object) => ({
      number: 1,
      jws: await new FlattenedSign(
        Buffer.from(
          JSON.stringify({
            ...{ v: 1, operation: id, report: digest, number: 1, counts },
            items: [{ executionId: 'exe_1', from: 'failed', to: 'delivered' }],
          }),
        ),
      )
        .setProtectedHeader({ alg: 'EdDSA', kid: 'own', typ: 'redrive-addendum+json' })
        .sign(privateKey),
    });
    let counts: object = { failed: -1, delivered: 1 };
    await page.route('**/report/addenda*', async (route) =>
      route.fulfill({ json: { items: [await addendum(counts)], nextCursor: null } }),
    );
    says = {};
    await page.goto(report);
    await page.getByRole('heading', { name: 'Settled since' }).waitFor();
    await page.getByRole('img', { name: 'Of 10: 6 delivered, 4 failed' }).waitFor();
    counts = { failed: -2, delivered: 2 };
    await page.goto(report);
    await page.getByText('What was settled since does not hold').waitFor();
    await page.getByText(/says that \w+ changes by -?2, and its items come to -?1/).waitFor();

    says = { expected: 11 };
    await page.goto(report);
    await page.getByText('It is signed, but what it says does not hold').waitFor();
    await page.getByText('does not add up').waitFor();
    expect(await page.getByRole('button', { name: 'Check every line' }).count()).toBe(0);
  });
});
