import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Notification } from "../src/contract.ts";
import { byId, FakeChannel, settle } from "./dom.ts";
import { closePage, LivePage, pass, stopClock } from "./live-page.ts";

beforeEach(stopClock);
afterEach(closePage);

const fourth: Notification = {
  id: "n-5", sequence: 4, title: "Fourth <b>", message: "News", type: "Warning", topic: "releases",
  data: { orderId: "10/01" }, createdAt: "2026-03-04T12:58:00Z",
};

async function openInbox(name = "notifications", path = "/notifications"): Promise<LivePage> {
  const page = new LivePage(name, path);
  await page.open();
  return page;
}

const items = () => [...byId("notification-list").children] as HTMLElement[];
const shown = () => items().map((item) => item.dataset["id"]);
const unread = () => items().filter((item) => item.dataset["unread"] !== undefined).map((item) => item.dataset["id"]);
const toasts = () => [...byId("toasts").children].map((toast) => toast.querySelector("a")?.textContent);
const submit = (id: string) =>
  byId(id).closest("form")?.dispatchEvent(new window.Event("submit", { bubbles: true, cancelable: true }));

test("a new notification is on top, complete, and told to screen readers", async () => {
  const page = await openInbox();
  page.notifications.emit("ReceiveNotification", fourth);
  assert.deepEqual(shown(), ["n-5", "n-4", "n-3", "n-2"]);
  const item = byId("notification-n-5");
  assert.equal(item.dataset["type"], "Warning");
  assert.equal(item.dataset["unread"], "");
  assert.equal(item.querySelector("h2")?.textContent, "Fourth <b>");
  assert.equal(item.querySelector("h2 a")?.getAttribute("href"), "/orders/10%2F01");
  assert.equal(item.querySelector(".notification-message")?.textContent, "News");
  assert.equal(item.querySelector(".notification-topic")?.textContent, "releases");
  assert.equal(item.querySelector("time")?.textContent, "2 minutes ago");
  assert.equal(item.querySelector(".type-icon use")?.getAttribute("href"), "/static/icons.svg?v=0#Warning");
  assert.equal(item.querySelector("form")?.getAttribute("action"), "/notifications/n-5/read");
  assert.equal(byId("read-n-5").getAttribute("aria-label"), "Mark as read: Fourth <b>");
  assert.equal(byId("announcer").textContent, "New notification: Fourth <b>");
  assert.deepEqual(toasts(), []);
});

test("nothing is shown twice", async () => {
  const page = await openInbox();
  page.notifications.emit("ReceiveNotification", fourth);
  page.notifications.emit("ReceiveNotification", fourth);
  page.notifications.emit("ReceiveNotification", { ...fourth, id: "n-4", sequence: 3 });
  assert.deepEqual(shown(), ["n-5", "n-4", "n-3", "n-2"]);
});

test("what was skipped is asked for, and shown before what came after it", async () => {
  const page = await openInbox();
  page.kept = [fourth];
  page.notifications.emit("ReceiveNotification", { ...fourth, id: "n-6", sequence: 5 });
  assert.deepEqual(shown(), ["n-4", "n-3", "n-2"]);
  await settle();
  assert.deepEqual(page.caughtUp, [3, 3]);
  assert.deepEqual(shown(), ["n-6", "n-5", "n-4", "n-3", "n-2"]);
  assert.equal(byId("announcer").textContent, "New notification: Fourth <b>");
  assert.equal(page.fetches, 0);
});

test("the first connection brings what came since the page was made, and each later one what came meanwhile", async () => {
  const page = new LivePage("notifications", "/notifications");
  page.kept = [fourth];
  await page.open();
  assert.deepEqual(page.caughtUp, [3]);
  assert.deepEqual(shown(), ["n-5", "n-4", "n-3", "n-2"]);
  page.notifications.emit("UnreadCountUpdated", 3);
  await page.loseAll();
  page.kept = [fourth, { ...fourth, id: "n-6", sequence: 5 }, { ...fourth, id: "n-7", sequence: 6 }];
  page.most = 1;
  page.unreadCount = 5;
  await page.back();
  assert.deepEqual(page.caughtUp, [3, 4, 5]);
  assert.deepEqual(shown(), ["n-7", "n-6", "n-5", "n-4", "n-3", "n-2"]);
  assert.equal(page.fetches, 0, "the page is not asked for");
});

test("what comes live while a connection catches up waits for its turn, and is shown once", async () => {
  const page = await openInbox();
  await page.loseAll();
  const sixth = { ...fourth, id: "n-7", sequence: 6 };
  page.kept = [fourth, { ...fourth, id: "n-6", sequence: 5 }];
  const answer = page.notifications.answer;
  page.notifications.answer = (method, ...args) => {
    page.notifications.emit("ReceiveNotification", sixth);
    page.notifications.emit("ReceiveNotification", fourth);
    assert.deepEqual(shown(), ["n-4", "n-3", "n-2"]);
    return answer(method, ...args);
  };
  await page.back();
  assert.deepEqual(shown(), ["n-7", "n-6", "n-5", "n-4", "n-3", "n-2"]);
});

test("a gap that retention has made has the list brought up to date", async () => {
  const page = await openInbox();
  await page.loseAll();
  page.firstSequence = 6;
  page.kept = [{ ...fourth, id: "n-7", sequence: 6 }];
  page.tag = '"2"';
  page.html = page.html
    .replace(/<ol class="notifications"[^]*?<\/ol>/, '<ol class="notifications" id="notification-list" data-before="0"><li data-id="n-7" data-sequence="6" data-unread></li></ol>')
    .replace('data-sequence="3"', 'data-sequence="6"');
  await page.back();
  assert.ok(page.fetches > 0);
  assert.deepEqual(shown(), ["n-7"]);
});

test("what was read elsewhere while there was no connection has the list brought up to date", async () => {
  const page = await openInbox();
  await page.loseAll();
  page.kept = [fourth];
  page.unreadCount = 2; // Of the two that were unread one is not any more.
  await page.back();
  assert.equal(page.fetches, 1);
});

test("what was read before it could be shown is not unread", async () => {
  const page = await openInbox();
  await page.loseAll();
  page.kept = [fourth];
  page.read = ["n-5"];
  page.unreadCount = 2;
  await page.back();
  assert.deepEqual(shown(), ["n-5", "n-4", "n-3", "n-2"]);
  assert.deepEqual(unread(), ["n-4", "n-3"]);
  assert.equal(page.fetches, 0);
});

test("a list that was polled is not caught up with again", async () => {
  const page = await openInbox();
  await page.loseAll();
  page.tag = '"2"';
  page.html = page.html
    .replace('data-before="0">', 'data-before="0"><li data-id="n-5" data-sequence="4" data-unread></li>')
    .replace('data-sequence="3"', 'data-sequence="4"')
    .replace(' data-count="2">2<', ' data-count="3">3<');
  await pass(30_000);
  assert.deepEqual(shown(), ["n-5", "n-4", "n-3", "n-2"]);
  page.unreadCount = 3;
  await page.back();
  assert.equal(page.caughtUp.at(-1), 4);
});

test("what has arrived is confirmed, many at a time", async () => {
  const page = await openInbox();
  page.notifications.emit("ReceiveNotification", fourth);
  page.notifications.emit("ReceiveNotification", { ...fourth, id: "n-6", sequence: 5 });
  page.notifications.emit("ReceiveNotification", { ...fourth, id: "", sequence: 0 });
  assert.ok(!page.notifications.log.some((entry) => entry.includes("ConfirmDelivered")));
  await pass(1000);
  assert.ok(page.notifications.log.includes("invoke ConfirmDelivered n-5,n-6"));
});

test("what another tab has read is read here", async () => {
  const page = await openInbox();
  page.notifications.emit("NotificationRead", "n-4");
  page.notifications.emit("NotificationRead", "unknown");
  page.notifications.emit("UnreadCountUpdated", 1);
  assert.deepEqual(unread(), ["n-3"]);
  assert.equal(byId("notification-n-4").querySelector("form"), null);
  assert.equal(byId("unread-count").textContent, "1");
  assert.equal(byId("bell").getAttribute("aria-label"), "Notifications, 1 unread");
});

test("a count lower than what is shown as unread has the list brought up to date", async () => {
  const page = await openInbox();
  const before = page.fetches;
  page.notifications.emit("UnreadCountUpdated", 2);
  assert.equal(page.fetches, before);
  page.tag = '"2"';
  page.html = page.html.replaceAll(/ data-unread(?=>)/g, "").replace(' data-count="2">2<', ' data-count="0" hidden>0<');
  page.notifications.emit("UnreadCountUpdated", 0);
  await settle();
  assert.equal(page.fetches, before + 1);
  assert.deepEqual(unread(), []);
  assert.equal(byId("unread-count").hidden, true);
});

test("marking as read goes through the hub, without loading the page", async () => {
  const page = await openInbox();
  byId("read-n-4").focus();
  assert.equal(submit("read-n-4"), false, "the form is not posted");
  await settle();
  assert.ok(page.notifications.log.includes("invoke MarkAsRead n-4"));
  assert.deepEqual(unread(), ["n-3"]);
  assert.equal(document.activeElement?.id, "read-n-3");
});

test("marking as read without a connection posts the form", async () => {
  const page = await openInbox();
  await page.loseAll();
  let posted = "";
  window.HTMLFormElement.prototype.submit = function () {
    posted = this.action;
  };
  submit("read-n-4");
  await settle();
  assert.equal(posted, "http://signalbox.test/notifications/n-4/read");
});

test("a page of older notifications stays what it is, and new ones are toasts", async () => {
  const page = await openInbox("older", "/notifications?before=2");
  page.notifications.emit("ReceiveNotification", fourth);
  assert.deepEqual(shown(), ["n-2"]);
  assert.deepEqual(toasts(), ["Fourth <b>"]);
});

test("what was sent to a group is a toast, in nobody's list", async () => {
  const page = await openInbox();
  page.notifications.emit("ReceiveNotification", { ...fourth, id: "", sequence: 0 });
  page.notifications.emit("ReceiveNotification", { ...fourth, id: "", sequence: 0 });
  assert.deepEqual(shown(), ["n-4", "n-3", "n-2"]);
  assert.equal(toasts().length, 2);
});

const heights = (scroll: number, client: number) => {
  Object.defineProperty(window.HTMLElement.prototype, "scrollHeight", { get: () => scroll, configurable: true });
  Object.defineProperty(window.HTMLElement.prototype, "clientHeight", { get: () => client, configurable: true });
};

test("a message that does not fit is shown whole when asked for", async () => {
  const page = await openInbox();
  heights(400, 100);
  page.notifications.emit("ReceiveNotification", fourth);
  const item = byId("notification-n-5");
  const more = item.querySelector<HTMLElement>(".more");
  const state = () => [
    more?.textContent, more?.getAttribute("aria-expanded"), item.querySelector(".notification-message.whole") !== null,
  ];
  assert.deepEqual(state(), ["Show more", "false", false]);
  more?.click();
  assert.deepEqual(state(), ["Show less", "true", true]);
  more?.click();
  assert.deepEqual(state(), ["Show more", "false", false]);
  assert.ok(byId("notification-list").classList.contains("shortened"));

  heights(100, 100); // There is room for it now.
  page.notifications.emit("ReceiveNotification", { ...fourth, id: "n-6", sequence: 5 });
  assert.equal(document.querySelectorAll(".more").length, 0);
});

test("a topic that another tab has subscribed to is shown as such", async () => {
  const page = await openInbox();
  const [operations, releases] = [...byId("topics").querySelectorAll("li")];
  page.html = page.html.replace('data-topic="releases"', '$& data-subscribed').replace(
    'value="subscribe" aria-label="Subscribe to releases"', 'value="unsubscribe"',
  );
  new FakeChannel("signalbox-topics").postMessage(null);
  await settle();
  const [first, second] = [...byId("topics").querySelectorAll("li")];
  assert.equal(first, operations);
  assert.notEqual(second, releases);
  assert.equal(second?.querySelector("button")?.value, "unsubscribe");
});

test("a tab tells the others of a change when it has been made", async () => {
  let told = 0;
  await openInbox();
  document.querySelector("#topics form")?.dispatchEvent(new window.Event("submit", { bubbles: true }));
  const storage = window.sessionStorage;
  const page = new LivePage("notifications", "/notifications"); // What the form leads to, in the same tab.
  Object.defineProperty(globalThis, "sessionStorage", { value: storage, configurable: true });
  new FakeChannel("signalbox-topics").addEventListener("message", () => told++);
  await page.open();
  assert.equal(told, 1);
  assert.equal(storage.length, 0);
});
