// All pages, as they are built: for keyboards and screen readers, in the light and in the dark, on narrow screens.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { answered, useBrowser } from './harness/browser.mjs';
import { bell, eventually, inbox, live, openLive, toasts } from './harness/page.mjs';
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
  const { violations } = await page.evaluate(() => window.axe.run({
    rules: { 'label-content-name-mismatch': { enabled: true } }, // People who speak to a browser say what they see.
  }));
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

    it('says on a narrow screen who is signed in, and covers nothing in its header', async (t) => {
      const reader = await server.addUser();
      const { status } = await server.api('POST', '/notifications', { body: { users: [reader.name], title: 'First' } });
      assert.equal(status, 201);
      const visitor = await browser.signedIn(t, server, reader, { viewport: { width: 390, height: 760 } });
      const page = await openLive(visitor, '/orders');
      await page.evaluate(() => { document.getElementById('unread-count').textContent = '99+'; });
      assert.equal(await page.getByText(reader.name, { exact: true }).isVisible(), true);
      const boxes = [];
      for (const part of ['#bell .icon', '#unread-count', '.who-name', 'form[action="/signout"] button']) {
        boxes.push(await page.locator(part).boundingBox());
      }
      for (const [i, box] of boxes.slice(1).entries()) {
        assert.ok(boxes[i].x + boxes[i].width <= box.x, `part ${i + 1} of the header covers the one before it`);
      }
    });

    it('shows one toast at a time on a narrow screen, and none about the order it shows', async (t) => {
      const reader = await server.addUser();
      const id = await server.newOrder(reader);
      const visitor = await browser.signedIn(t, server, reader, { viewport: { width: 390, height: 760 } });
      const page = await openLive(visitor, `/orders/${id}`);
      for (const title of ['One', 'Two', 'Three']) await server.notify(reader, title);
      await eventually(() => toasts(page), ['Three']);
      await server.notify(reader, 'About this order', { data: { orderId: id } });
      const { unread } = await server.inbox(reader);
      await eventually(() => bell(page), String(unread));
      assert.deepEqual(await toasts(page), ['Three']);
    });

    it('shortens what is long until it is asked for the rest', async (t) => {
      const reader = await server.addUser();
      const message = 'These are the terms of delivery. '.repeat(125).slice(0, 4000).trim();
      await server.notify(reader, 'Terms', { message });
      const visitor = await browser.signedIn(t, server, reader, { viewport: { width: 390, height: 760 } });
      const page = await openLive(visitor, '/notifications');
      await server.notify(reader, 'Again', { message });
      await server.notify(reader, 'Short', { message: 'Few words' });
      await eventually(() => inbox(page), ['Short *', 'Again *', 'Terms *']);
      const more = page.getByRole('button', { name: 'Show more' });
      await eventually(() => more.count(), 2);
      const height = () => page.locator('.notification').last().boundingBox().then((box) => box.height);
      const before = await height();
      assert.ok(before < 260, `the notification is ${before} pixels high`);
      assert.equal(await faults(page), '');
      await more.last().click();
      assert.ok(await height() > 1000);
      await page.getByRole('button', { name: 'Show less' }).click();
      assert.equal(await height(), before);
    });

    it('leads to the topics from the top where they stand below the list', async (t) => {
      const reader = await server.addUser();
      for (let i = 0; i < 20; i++) await server.notify(reader, `Number ${i}`);
      const visitor = await browser.signedIn(t, server, reader, { viewport: { width: 390, height: 760 } });
      const page = await openLive(visitor, '/notifications');
      const button = page.getByRole('button', { name: 'Subscribe to news' });
      const inSight = () => button.evaluate((element) => element.getBoundingClientRect().bottom <= window.innerHeight);
      assert.equal(await inSight(), false);
      await page.getByRole('link', { name: 'Topics' }).click();
      await eventually(inSight, true);
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
      assert.match(await page.locator('#bell').getAttribute('aria-label'), /^Notifications, \d+\+? unread$/);
    });
  });
});
