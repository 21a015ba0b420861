// Pages that cannot have a live connection ask the server now and then.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Inbox } from '../node/harness/wait.mjs';
import { answered, lostConnection, useBrowser } from './harness/browser.mjs';
import { asShown, bell, eventually, inbox, live, mark, shownOrder, stays } from './harness/page.mjs';
import { useServer } from './harness/server.mjs';

const server = useServer('--poll-interval=1s');
const browser = useBrowser();

const picking = { status: 'Processing', progress: 25, message: 'Picking' };
const shipped = { status: 'Shipped', progress: 60, message: 'On its way' };

/** Holds back the first answer that the page gets when it asks for itself. */
async function holdAnswer(page, path) {
  const made = new Inbox('answer that is held');
  const released = new Inbox('release of the answer');
  const arrived = new Inbox('answer that has arrived');
  let first = true;
  await page.route(path, async (route) => {
    if (!first || route.request().resourceType() !== 'fetch') return route.continue();
    first = false;
    const response = await route.fetch();
    made.push();
    await released.next();
    await route.fulfill({ response });
    return arrived.push();
  });
  return {
    made: () => made.next(),
    async letGo() {
      released.push();
      await arrived.next();
      await page.unrouteAll({ behavior: 'ignoreErrors' });
    },
  };
}

describe('without a live connection', () => {
  it('pages ask for changes, and go live as soon as they can', async (t) => {
    const user = await server.addUser();
    const id = await server.newOrder(user, picking);
    const visitor = await browser.signedIn(t, server, user, { expected: lostConnection });
    await visitor.context.route('**/hubs/**', (route) => route.abort());
    const order = await visitor.open(`/orders/${id}`);
    const list = await visitor.open('/notifications');
    for (const page of [order, list]) {
      await page.bringToFront(); // A page that is hidden does not ask.
      await page.getByText('Disconnected, trying again…').waitFor();
      await mark(page);
    }
    await server.putOrder(id, shipped);
    await server.notify(user, 'Polled');
    await eventually(async () => (await inbox(list)).includes('Polled *'), true);
    await order.bringToFront();
    await eventually(() => shownOrder(order), asShown(shipped));
    await eventually(async () => await bell(order) !== null, true);
    assert.match(await order.locator('#data-age').textContent(), /^\d+ seconds? old$/);

    await visitor.context.unroute('**/hubs/**');
    await order.evaluate(() => { window.dispatchEvent(new Event('online')); });
    await live(order);
    assert.equal(await order.evaluate(() => document.body.className), '');
    await server.putOrder(id, { progress: 61 });
    await eventually(() => shownOrder(order), asShown({ ...shipped, progress: 61 }));
    assert.equal(await stays(order) && await stays(list), true, 'a page was loaded again');
  });

  it('pages of somebody who was signed out lead to the sign-in page', async (t) => {
    const user = await server.addUser();
    const id = await server.newOrder(user, picking);
    const visitor = await browser.signedIn(t, server, user, { expected: [...lostConnection, answered(401), /Unauthorized/] });
    const page = await visitor.open(`/orders/${id}`);
    await live(page);
    await visitor.context.clearCookies();
    await server.kill();
    await server.start();
    await page.waitForURL(`/signin?next=${encodeURIComponent(`/orders/${id}`)}`);
  });
});

describe('while a page is being brought up to date', () => {
  it('nothing that comes live is lost', async (t) => {
    const user = await server.addUser();
    const id = await server.notify(user, 'Before');
    const visitor = await browser.signedIn(t, server, user);
    const page = await visitor.context.newPage();

    // The page asks for itself as it does when it comes back from the browser's memory; the answer, made now, arrives only
    // when it is let go.
    const answer = await holdAnswer(page, '/notifications');
    await page.goto('/notifications');
    await live(page);
    await page.evaluate(() => { window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })); });
    await answer.made();
    await server.notify(user, 'During');
    await page.getByRole('button', { name: 'Mark as read: Before' }).click();
    await eventually(() => inbox(page), ['During *', 'Before']);
    await eventually(() => bell(page), '1');
    await answer.letGo();
    await page.evaluate(() => new Promise((resolve) => { requestIdleCallback(resolve); }));
    await eventually(() => inbox(page), ['During *', 'Before']);
    await eventually(() => bell(page), '1');
    assert.equal((await server.inbox(user)).notifications.find((n) => n.id === id).readAt !== null, true);
  });
});
