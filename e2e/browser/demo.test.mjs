// What a newcomer sees: the demonstration, whose orders move by themselves.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signIn, useBrowser } from './harness/browser.mjs';
import { eventually, live, mark, openLive, shownOrder, stays } from './harness/page.mjs';
import { demo, useServer } from './harness/server.mjs';

const server = useServer();
const browser = useBrowser();

/** The demo moves one of its three orders every 2 seconds. */
const turn = { ms: 20_000 };

describe('the demonstration', () => {
  it('moves orders and raises the bell before one\'s eyes', async (t) => {
    const visitor = await browser.visitor(t, server);
    const page = await visitor.open('/');
    await page.getByText('sign in as demo or demo2, password demo').waitFor();
    await signIn(page, demo);
    await page.getByRole('heading', { name: 'Orders' }).waitFor();
    await live(page);
    await mark(page);
    const list = () => page.locator('.order-card-message').allTextContents();
    const unread = () => page.locator('#unread-count').getAttribute('data-count').then(Number);
    const [messages, count] = [await list(), await unread()];
    assert.equal(messages.length, 3);
    await eventually(async () => (await list()).join() !== messages.join(), true, turn);
    await eventually(async () => await unread() > count, true, turn);
    assert.equal(await stays(page), true, 'the page was loaded again');
  });

  it('completes an order before one\'s eyes', async (t) => {
    const visitor = await browser.signedIn(t, server, demo);
    const page = await openLive(visitor, '/orders/1001');
    await mark(page);
    await server.putOrder('1001', { status: 'Shipped', progress: 85, message: 'Your parcel is out for delivery.' });
    await page.getByRole('dialog', { name: 'Order complete!' }).waitFor({ timeout: turn.ms });
    const { status, progress } = await shownOrder(page);
    assert.deepEqual([status, progress], ['Completed', '100%']);
    assert.equal(await stays(page), true, 'the page was loaded again');
  });
});
