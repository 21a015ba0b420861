// All pages, as they are built: for keyboards and screen readers, in the light and in the dark, on narrow screens.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { answered, useBrowser } from './harness/browser.mjs';
import { bell, eventually, inbox, live, openLive } from './harness/page.mjs';
import { useServer } from './harness/server.mjs';

const server = useServer();
const browser = useBrowser();
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const long = 'Longwordwithoutanyplacetobreakit'.repeat(4);
/** How each page is answered, once there is something on it. */
async function furnish(user) {
  const moving = await server.newOrder(user, { status: 'Processing', progress: 25, message: 'We are packing your parcel.' });
  const fresh = await server.newOrder(user, { message: long });
  const failed = await server.newOrder(user, { status: 'Failed', progress: 40, message: 'The parcel was lost.' });
  for (const type of ['Info', 'Success', 'Warning', 'Error', 'OrderUpdate']) {
    await server.notify(user, `${type} ${long}`, { type, message: `About ${long}`, data: { orderId: moving } });
  }
  return {
    '/orders': 200, '/notifications': 200, '/nosuchpage': 404,
    [`/orders/${moving}`]: 200, [`/orders/${fresh}`]: 200, [`/orders/${failed}`]: 200,
  };
}

/** What axe finds wrong with a page: for each rule its elements. */
async function faults(page) {
  await page.evaluate(axe);
  // Colours on their way from one to another have no contrast to speak of.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => `  ${node.html}`).join('\n')}`).join('\n');
}

describe('the pages', () => {
  let user;
  let pages;

  before(async () => {
    user = await server.addUser('staff');
    pages = await furnish(user);
  });

  for (const colorScheme of ['light', 'dark']) {
    describe(`every page in the ${colorScheme}`, () => {
      it('can be used by everybody', async (t) => {
        const visitor = await browser.signedIn(t, server, user, { colorScheme, expected: [answered(404)] });
        const page = await visitor.context.newPage();
        for (const [path, status] of Object.entries(pages)) {
          assert.equal((await page.goto(path)).status(), status);
          await live(page);
          assert.equal(await faults(page), '', path);
        }
      });

      it('can be used by everybody when something has happened', async (t) => {
        const visitor = await browser.signedIn(t, server, user, { colorScheme, expected: [answered(422)] });
        const id = await server.newOrder(user, { status: 'Shipped', progress: 85 });
        const page = await openLive(visitor, `/orders/${id}`);
        await server.notify(user, 'A toast', { type: 'Warning', message: 'Look here' });
        await page.locator('.toast').first().waitFor();
        assert.equal(await faults(page), '', 'with a toast');
        await server.putOrder(id, { status: 'Completed', progress: 100 });
        await page.getByRole('dialog').waitFor();
        assert.equal(await faults(page), '', 'with the completion dialog');

        const anonymous = await browser.visitor(t, server, { colorScheme, expected: [answered(422)] });
        const form = await anonymous.open('/signin');
        assert.equal(await faults(form), '', 'the sign-in form');
        await form.getByLabel('Name').fill('nobody');
        await form.getByLabel('Password').fill('wrong');
        await form.getByRole('button', { name: 'Sign in' }).click();
        await form.getByRole('alert').waitFor();
        assert.equal(await faults(form), '', 'the sign-in form with an error');
      });
    });
  }

  describe('every page', () => {
    it('fits a narrow screen', async (t) => {
      const visitor = await browser.signedIn(t, server, user, {
        viewport: { width: 360, height: 640 }, expected: [answered(404)],
      });
      const page = await visitor.context.newPage();
      for (const path of Object.keys(pages)) {
        await page.goto(path);
        const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
        assert.ok(needed <= there, `${path} is ${needed} pixels wide`);
      }
    });

    it('has a policy that lets it load from its own server only', async (t) => {
      const visitor = await browser.signedIn(t, server, user, { expected: [answered(404)] });
      const page = await visitor.context.newPage();
      page.on('request', (request) => assert.equal(new URL(request.url()).origin, server.url));
      for (const path of Object.keys(pages)) {
        const response = await page.goto(path);
        await live(page);
        assert.match(response.headers()['content-security-policy'], /default-src 'self'; script-src 'self';/, path);
        // An inline script does not run: the policy is in force, not only sent.
        await page.evaluate(() => {
          const script = document.createElement('script');
          script.textContent = 'window.injected = true';
          window.violated = new Promise((resolve) => { document.addEventListener('securitypolicyviolation', resolve); });
          document.head.append(script);
        });
        assert.equal(await page.evaluate(() => window.violated.then(() => window.injected === undefined)), true);
      }
      const inline = visitor.problems.splice(0).filter((problem) => !/Content Security Policy/.test(problem));
      assert.deepEqual(inline, []);
    });
  });

  describe('by keyboard and to the ear', () => {
    it('the first stop leads past the navigation', async (t) => {
      const visitor = await browser.signedIn(t, server, user);
      const page = await openLive(visitor, '/orders');
      const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
      await page.keyboard.press('Tab');
      assert.equal(await focused(), 'Skip to content');
      await page.keyboard.press('Enter');
      await page.keyboard.press('Tab');
      assert.match(await focused(), /^Order #/);
    });

    it('changes are announced', async (t) => {
      const visitor = await browser.signedIn(t, server, user);
      const id = await server.newOrder(user, { status: 'Confirmed', progress: 10, message: 'Paid' });
      const page = await openLive(visitor, `/orders/${id}`);
      await server.putOrder(id, { status: 'Processing', progress: 25, message: 'Picking' });
      const status = page.getByRole('status').filter({ has: page.locator('#status-badge') });
      await eventually(async () => (await status.innerText()).split(/\s+/).join(' '), 'Processing Picking');
      const bar = page.getByRole('progressbar', { name: 'Progress' });
      assert.deepEqual(
        await Promise.all(['aria-valuemin', 'aria-valuemax', 'aria-valuenow'].map((name) => bar.getAttribute(name))),
        ['0', '100', '25'],
      );
      await server.notify(user, 'Listen');
      await page.getByRole('status', { name: 'New notifications' }).getByText('Listen').waitFor();
      assert.match(await page.locator('#bell').getAttribute('aria-label'), /^Notifications, \d+ unread$/);
    });
  });
});
