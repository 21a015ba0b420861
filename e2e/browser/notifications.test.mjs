// The bell, the list of notifications, the toasts and the topics, in several tabs of several users.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { useBrowser } from './harness/browser.mjs';
import { bell, eventually, inbox, invoke, mark, openLive, stays, toasts } from './harness/page.mjs';
import { useServer } from './harness/server.mjs';

const server = useServer();
const browser = useBrowser();

const hub = 'notifications';
const refused = (method, reason) => `An unexpected error occurred invoking '${method}' on the server. HubException: ${reason}`;

async function newVisitor(t, ...roles) {
  const user = await server.addUser(...roles);
  return { user, visitor: await browser.signedIn(t, server, user) };
}

describe('a notification', () => {
  it('raises the bell and shows a toast on any page, once, and to nobody else', async (t) => {
    const { user, visitor } = await newVisitor(t);
    const { user: otherUser, visitor: otherVisitor } = await newVisitor(t);
    const page = await openLive(visitor, '/orders');
    const other = await openLive(otherVisitor, '/orders');
    await mark(page);
    assert.equal(await bell(page), null);

    await server.notify(user, 'First', { message: 'Of all', type: 'Warning' });
    await eventually(() => bell(page), '1');
    await eventually(() => toasts(page), ['First']);
    const toast = page.locator('.toast', { hasText: 'First' });
    await toast.hover(); // It stays while somebody points at it.
    await server.notify(user, 'Second');
    await server.notify(otherUser, 'For the other');
    await eventually(() => bell(page), '2');
    await eventually(() => toasts(page), ['First', 'Second']);
    await eventually(() => toasts(other), ['For the other']);
    assert.equal(await bell(other), '1');

    assert.equal(await toast.getAttribute('data-type'), 'Warning');
    assert.equal(await toast.locator('.toast-message').textContent(), 'Of all');
    assert.equal(await page.getByRole('link', { name: 'Notifications, 2 unread' }).count(), 1);
    await toast.getByRole('button', { name: 'Dismiss' }).click();
    assert.deepEqual(await toasts(page), ['Second']);
    assert.equal(await stays(page), true, 'the page was loaded again');
  });

  it('is text, whatever it looks like', async (t) => {
    const { user, visitor } = await newVisitor(t);
    const page = await openLive(visitor, '/orders');
    const list = await openLive(visitor, '/notifications');
    const title = '<img src=x onerror=alert(1)> & {{.}}';
    await server.notify(user, title, { message: '<script>alert(1)</script>' });
    await eventually(() => toasts(page), [title]);
    await eventually(() => inbox(list), [`${title} *`]);
    await list.reload();
    assert.deepEqual(await inbox(list), [`${title} *`]);
    assert.equal(await list.locator('.notification-message').textContent(), '<script>alert(1)</script>');
  });

  it('about an order leads to it', async (t) => {
    const { user, visitor } = await newVisitor(t);
    const id = await server.newOrder(user, { status: 'Shipped', progress: 60 });
    const page = await openLive(visitor, '/notifications');
    await page.getByRole('link', { name: 'Order Update' }).click();
    await page.waitForURL(`/orders/${id}`);
    await page.getByRole('heading', { name: `Order #${id}` }).waitFor();
  });

  it('comes on top of the list, without a toast, and is shown once', async (t) => {
    const { user, visitor } = await newVisitor(t);
    await server.notify(user, 'Before');
    const page = await openLive(visitor, '/notifications');
    await mark(page);
    const titles = Array.from({ length: 10 }, (_, i) => `Number ${i}`);
    await Promise.all(titles.map((title) => server.notify(user, title)));
    await eventually(() => page.locator('#notification-list > li').count(), 11);
    // The list is that of the server, and stays so when the page asks for it again.
    const expected = (await server.inbox(user)).notifications.map(({ title }) => `${title} *`);
    await eventually(() => inbox(page), expected);
    assert.deepEqual(await toasts(page), []);
    assert.equal(await bell(page), '11');
    assert.equal(await stays(page), true, 'the page was loaded again');
    await page.reload();
    assert.deepEqual(await inbox(page), expected);
  });
});

describe('what is marked as read in one tab is seen in the others', () => {
  it('one', async (t) => {
    const { user, visitor } = await newVisitor(t);
    await server.notify(user, 'First');
    await server.notify(user, 'Second');
    const tab = await openLive(visitor, '/notifications');
    const otherTab = await openLive(visitor, '/notifications');
    const otherPage = await openLive(visitor, '/orders');
    await mark(tab);
    await mark(otherTab);
    for (const page of [tab, otherTab, otherPage]) assert.equal(await bell(page), '2');

    await tab.getByRole('button', { name: 'Mark as read: First' }).click();
    for (const page of [tab, otherTab]) await eventually(() => inbox(page), ['Second *', 'First']);
    for (const page of [tab, otherTab, otherPage]) await eventually(() => bell(page), '1');
    assert.equal(await stays(tab) && await stays(otherTab), true, 'a page was loaded again');
    assert.equal((await server.inbox(user)).unread, 1);
  });

  it('all', async (t) => {
    const { user, visitor } = await newVisitor(t);
    for (const title of ['First', 'Second', 'Third']) await server.notify(user, title);
    const tab = await openLive(visitor, '/notifications');
    const otherTab = await openLive(visitor, '/notifications');
    const otherPage = await openLive(visitor, '/orders');
    await mark(otherTab);
    await tab.getByRole('button', { name: 'Mark all as read' }).click();
    for (const page of [tab, otherTab]) await eventually(() => inbox(page), ['Third', 'Second', 'First']);
    for (const page of [tab, otherTab, otherPage]) await eventually(() => bell(page), null);
    assert.equal(await stays(otherTab), true, 'the page was loaded again');
    await eventually(() => otherTab.getByRole('button', { name: 'Mark all as read' }).isVisible(), false);
    assert.equal((await server.inbox(user)).unread, 0);
  });

  it('unless it is not one of the user', async (t) => {
    const { user, visitor } = await newVisitor(t);
    const { user: otherUser, visitor: otherVisitor } = await newVisitor(t);
    const own = await server.notify(user, 'Own');
    const foreign = await server.notify(otherUser, 'Foreign');
    const page = await openLive(visitor, '/notifications');
    const otherPage = await openLive(otherVisitor, '/notifications');
    assert.equal(await invoke(page, hub, 'MarkAsRead', foreign), refused('MarkAsRead', 'Notification not found'));
    assert.equal(await invoke(page, hub, 'MarkAsRead', 'nonsense'), refused('MarkAsRead', 'Notification not found'));
    assert.equal(await invoke(page, hub, 'MarkAsRead', own), null);
    await eventually(() => inbox(page), ['Own']);
    assert.deepEqual(await inbox(otherPage), ['Foreign *']);
    assert.equal((await server.inbox(otherUser)).unread, 1);
  });
});

const unsubscribe = 'Subscribed to news: unsubscribe';

describe('a topic', () => {
  it('reaches its subscribers only', async (t) => {
    const { user, visitor } = await newVisitor(t);
    const { visitor: strangerVisitor, user: stranger } = await newVisitor(t);
    const settings = await openLive(visitor, '/notifications');
    await settings.getByRole('button', { name: 'Subscribe to news' }).click();
    await settings.getByRole('button', { name: unsubscribe }).waitFor();
    const page = await openLive(visitor, '/orders');
    const other = await openLive(strangerVisitor, '/orders');

    assert.deepEqual(await server.notifyTopic('news', 'News'), [user.name]);
    await eventually(() => toasts(page), ['News']);
    assert.equal(await bell(page), '1');
    await server.notify(stranger, 'Something else');
    await eventually(() => toasts(other), ['Something else']);

    await settings.getByRole('button', { name: unsubscribe }).click();
    await settings.getByRole('button', { name: 'Subscribe to news' }).waitFor();
    assert.deepEqual(await server.notifyTopic('news', 'Old news'), []);
    await server.notify(user, 'Last');
    await eventually(async () => (await toasts(page)).at(-1), 'Last');
    assert.equal(await bell(page), '2');
  });

  it('is shown as subscribed to in all tabs', async (t) => {
    const { visitor } = await newVisitor(t);
    const tab = await openLive(visitor, '/notifications');
    const otherTab = await openLive(visitor, '/notifications');
    await mark(otherTab);
    for (const [change, then] of [['Subscribe to news', unsubscribe], [unsubscribe, 'Subscribe to news']]) {
      await tab.getByRole('button', { name: change }).click();
      for (const page of [tab, otherTab]) await page.getByRole('button', { name: then }).waitFor();
    }
    assert.equal(await stays(otherTab), true, 'the page was loaded again');
  });

  it('can be subscribed to through the hub, by those who may hear it', async (t) => {
    const { user: staff, visitor: staffVisitor } = await newVisitor(t, 'staff');
    const { visitor } = await newVisitor(t);
    const staffPage = await openLive(staffVisitor, '/notifications');
    const page = await openLive(visitor, '/notifications');
    assert.equal(await staffPage.getByRole('button', { name: 'Subscribe to staff' }).isVisible(), true);
    assert.equal(await page.getByRole('button', { name: 'Subscribe to staff' }).count(), 0);

    for (const topic of ['staff', 'nosuchtopic', '']) {
      assert.equal(
        await invoke(page, hub, 'SubscribeToTopic', topic),
        refused('SubscribeToTopic', 'Not authorized for this topic'),
      );
    }
    assert.equal(await invoke(staffPage, hub, 'SubscribeToTopic', 'staff'), null);
    assert.deepEqual(await server.notifyTopic('staff', 'Meeting'), [staff.name]);
    await eventually(() => inbox(staffPage), ['Meeting *']);
    assert.equal(await staffPage.locator('.notification-topic').textContent(), 'staff');
    assert.equal(await invoke(staffPage, hub, 'UnsubscribeFromTopic', 'staff'), null);
    assert.deepEqual(await server.notifyTopic('staff', 'Another meeting'), []);
  });
});
