// The pages in a browser without JavaScript: everything works, by forms and links.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signIn, useBrowser } from './harness/browser.mjs';
import { asShown, bell, eventually, inbox, shownOrder, timeline } from './harness/page.mjs';
import { demo, useServer } from './harness/server.mjs';

const server = useServer('--poll-interval=1s');
const browser = useBrowser();
const options = { javaScriptEnabled: false };

describe('without JavaScript', () => {
  it('one can sign in and out', async (t) => {
    const visitor = await browser.visitor(t, server, options);
    const page = await visitor.open('/');
    await signIn(page, demo);
    await page.waitForURL('/orders');
    await page.getByRole('link', { name: 'Order #1001' }).click();
    await page.waitForURL('/orders/1001');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL('/signin');
  });

  it('the page of an order is right when it comes, and comes again by itself', async (t) => {
    const picking = { status: 'Processing', progress: 25, message: 'Picking' };
    const completed = { status: 'Completed', progress: 100, message: 'Delivered' };
    const id = await server.newOrder(demo, picking);
    const visitor = await browser.signedIn(t, server, demo, options);
    const page = await visitor.open(`/orders/${id}`);
    const message = page.locator('#status-message');
    assert.equal(await message.textContent(), picking.message);

    await server.putOrder(id, completed);
    await message.getByText(completed.message).waitFor();
    // The order has ended, so that the page does not come again while it is looked at.
    assert.deepEqual(await shownOrder(page), asShown(completed));
    assert.deepEqual(await timeline(page), ['Completed | 100% | Delivered', 'Processing | 25% | Picking']);
    assert.equal(await page.locator('#completion-modal').isVisible(), false);
  });

  it('notifications are marked as read, one and all', async (t) => {
    const user = await server.addUser();
    for (const title of ['First', 'Second', 'Third']) await server.notify(user, title);
    const visitor = await browser.signedIn(t, server, user, options);
    const page = await visitor.open('/notifications');
    assert.deepEqual(await inbox(page), ['Third *', 'Second *', 'First *']);
    assert.equal(await bell(page), '3');
    await page.getByRole('button', { name: 'Mark as read: Second' }).click();
    await eventually(() => inbox(page), ['Third *', 'Second', 'First *']);
    assert.equal(await bell(page), '2');
    await page.getByRole('button', { name: 'Mark all as read' }).click();
    await eventually(() => inbox(page), ['Third', 'Second', 'First']);
    assert.equal(await bell(page), null);
    assert.equal(await page.getByRole('button', { name: 'Mark all as read' }).isVisible(), false);
  });

  it('older notifications are on pages of their own, to which marking leads back', async (t) => {
    const user = await server.addUser();
    for (let i = 1; i <= 25; i++) await server.notify(user, `Number ${i}`);
    const visitor = await browser.signedIn(t, server, user, options);
    const page = await visitor.open('/notifications');
    assert.equal((await inbox(page)).length, 20);
    await page.getByRole('link', { name: 'Older' }).click();
    await eventually(() => inbox(page), ['Number 5 *', 'Number 4 *', 'Number 3 *', 'Number 2 *', 'Number 1 *']);
    await page.getByRole('button', { name: 'Mark as read: Number 3' }).click();
    await eventually(() => inbox(page), ['Number 5 *', 'Number 4 *', 'Number 3', 'Number 2 *', 'Number 1 *']);
    await page.getByRole('link', { name: 'Newest' }).click();
    await eventually(async () => (await inbox(page)).length, 20);
  });

  it('topics are subscribed to', async (t) => {
    const user = await server.addUser();
    const visitor = await browser.signedIn(t, server, user, options);
    const page = await visitor.open('/notifications');
    await page.getByRole('button', { name: 'Subscribe to news' }).click();
    await page.getByRole('button', { name: 'Subscribed to news: unsubscribe' }).waitFor();
    assert.deepEqual(await server.notifyTopic('news', 'News'), [user.name]);
    await page.reload();
    assert.deepEqual(await inbox(page), ['News *']);
  });
});
