// The page of an order, and the list of orders, while they are open.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { useBrowser } from './harness/browser.mjs';
import { asShown, eventually, live, mark, openLive, shownOrder, stays, timeline } from './harness/page.mjs';
import { demo, useServer } from './harness/server.mjs';

const server = useServer();
const browser = useBrowser();

const picking = { status: 'Processing', progress: 25, message: 'Picking' };
const packing = { status: 'Processing', progress: 45, message: 'Packing' };
const completed = { status: 'Completed', progress: 100, message: 'Delivered' };

/** How each transport can be told from the requests that a page makes to a hub. */
const transports = {
  WebSockets: (page, hub) => page.waitForEvent('websocket', (socket) => socket.url().includes(hub)),
  ServerSentEvents: (page, hub) => page.waitForRequest((request) =>
    request.url().includes(`${hub}?id=`) && request.resourceType() === 'eventsource'),
  LongPolling: (page, hub) => page.waitForRequest((request) =>
    request.url().includes(`${hub}?id=`) && request.resourceType() === 'fetch' && request.method() === 'GET'),
};

describe('the page of an order', () => {
  for (const [transport, isUsed] of Object.entries(transports)) {
    it(`moves with the order (${transport})`, async (t) => {
      const id = await server.newOrder(demo, picking);
      const visitor = await browser.signedIn(t, server, demo);
      const page = await visitor.context.newPage();
      await Promise.all([
        isUsed(page, '/hubs/orders'),
        isUsed(page, '/hubs/notifications'),
        page.goto(`/orders/${id}?transport=${transport}`),
      ]);
      await live(page);
      await mark(page);
      assert.deepEqual(await shownOrder(page), asShown(picking));

      for (const change of [packing, { ...packing, progress: 50 }, { status: 'Shipped', progress: 60, message: '' }]) {
        await server.putOrder(id, change);
        await eventually(() => shownOrder(page), asShown(change));
      }
      const dialog = page.getByRole('dialog', { name: 'Order complete!' });
      assert.equal(await dialog.isVisible(), false);
      await server.putOrder(id, completed);
      await eventually(() => shownOrder(page), asShown(completed));
      await dialog.waitFor();
      await eventually(() => timeline(page), [
        'Completed | 100% | Delivered', 'Shipped | 60% | ', 'Processing | 50% | Packing', 'Processing | 25% | Picking',
      ]);
      assert.equal(await stays(page), true, 'the page was loaded again');
    });
  }

  it('takes the best transport when it may choose', async (t) => {
    const id = await server.newOrder(demo);
    const visitor = await browser.signedIn(t, server, demo);
    const page = await visitor.context.newPage();
    await Promise.all([transports.WebSockets(page, '/hubs/orders'), page.goto(`/orders/${id}`)]);
    await live(page);
    assert.equal(await page.locator('#connection-text').textContent(), 'Live');
  });

  it('moves in each tab that shows it, and in no other', async (t) => {
    const id = await server.newOrder(demo, picking);
    const otherID = await server.newOrder(demo, packing);
    const visitor = await browser.signedIn(t, server, demo);
    const tabs = [await openLive(visitor, `/orders/${id}`), await openLive(visitor, `/orders/${id}`)];
    const other = await openLive(visitor, `/orders/${otherID}`);
    await server.putOrder(id, { progress: 30 });
    await server.putOrder(otherID, { progress: 46 });
    for (const tab of tabs) await eventually(() => shownOrder(tab), asShown({ ...picking, progress: 30 }));
    await eventually(() => shownOrder(other), asShown({ ...packing, progress: 46 }));
    assert.equal((await timeline(other)).length, 1);
  });

  it('shows many changes at once in their order, each once', async (t) => {
    const id = await server.newOrder(demo, { message: 'Step 0' });
    const visitor = await browser.signedIn(t, server, demo);
    const page = await openLive(visitor, `/orders/${id}`);
    const steps = Array.from({ length: 20 }, (_, i) => ({ status: 'Processing', progress: i + 1, message: `Step ${i + 1}` }));
    for (const step of steps) await server.putOrder(id, step);
    await eventually(() => timeline(page), [
      ...steps.map(({ status, progress, message }) => `${status} | ${progress}% | ${message}`).reverse(),
      'Pending | 0% | Step 0',
    ]);
    await eventually(() => shownOrder(page), asShown(steps.at(-1)));
  });

  it('opens the completion dialog once, with the focus in it, and gives the focus back', async (t) => {
    const id = await server.newOrder(demo, packing);
    const visitor = await browser.signedIn(t, server, demo);
    const page = await openLive(visitor, `/orders/${id}`);
    const back = page.getByRole('link', { name: 'Orders' }).last();
    await back.focus();
    const dialog = page.locator('#completion-modal');
    const close = dialog.getByRole('button', { name: 'Close' });
    const isOpen = () => dialog.evaluate((element) => element.open && element.matches(':modal'));
    const isFocused = (locator) => locator.evaluate((element) => element === document.activeElement);
    assert.equal(await isOpen(), false);

    await server.putOrder(id, completed);
    await eventually(isOpen, true);
    assert.equal(await isFocused(close), true);
    assert.match(await dialog.textContent(), new RegExp(`Your order #${id} has been processed successfully`));
    await page.keyboard.press('Escape');
    await eventually(isOpen, false);
    assert.equal(await isFocused(back), true);

    await server.putOrder(id, { message: 'Delivered to a neighbour' });
    await eventually(() => shownOrder(page), asShown({ ...completed, message: 'Delivered to a neighbour' }));
    assert.equal(await isOpen(), false);

    await server.putOrder(id, packing);
    await server.putOrder(id, completed);
    await eventually(isOpen, true);
    await close.click();
    await eventually(isOpen, false);
  });

  it('does not congratulate on an order that was complete when the page was loaded', async (t) => {
    const id = await server.newOrder(demo, completed);
    const visitor = await browser.signedIn(t, server, demo);
    const page = await openLive(visitor, `/orders/${id}`);
    assert.deepEqual(await shownOrder(page), asShown(completed));
    assert.equal(await page.locator('#completion-modal').isVisible(), false);
  });
});

describe('the list of orders', () => {
  const card = (page, id) => page.locator(`#order-list > [data-order-id="${id}"]`);

  it('moves with the orders and shows new ones', async (t) => {
    const user = await server.addUser();
    const id = await server.newOrder(user, picking);
    const visitor = await browser.signedIn(t, server, user);
    const page = await openLive(visitor, '/orders');
    await mark(page);
    await server.putOrder(id, packing);
    await eventually(() => card(page, id).locator('.order-card-message').textContent(), 'Packing');
    assert.equal(await card(page, id).getByRole('progressbar').getAttribute('aria-valuenow'), '45');

    // The notification of a new order makes the page ask for it.
    const newID = await server.newOrder(user, picking);
    await card(page, newID).waitFor();
    await server.putOrder(newID, completed);
    await eventually(() => card(page, newID).locator('.badge').textContent(), 'Completed');
    await eventually(() => page.locator('#open-orders').textContent(), '1');
    assert.equal(await page.locator('#all-orders').textContent(), '2');
    assert.equal(await stays(page), true, 'the page was loaded again');
  });
});
