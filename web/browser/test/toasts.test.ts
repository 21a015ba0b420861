import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Notification } from "../src/contract.ts";
import { byId } from "./dom.ts";
import { closePage, LivePage, pass, stopClock } from "./live-page.ts";

beforeEach(stopClock);
afterEach(closePage);

const news = (id: string, data: Record<string, unknown> | null = null): Notification => ({
  id, sequence: 4 + "abcdef".indexOf(id), title: `Title ${id}`, message: "Text", type: "Success", topic: null, data, createdAt: "2026-03-04T12:58:00Z",
});

async function openOrders(): Promise<LivePage> {
  const page = new LivePage("orders", "/orders");
  await page.open();
  return page;
}

const toasts = () => [...byId("toasts").children] as HTMLElement[];

test("a notification is shown for a while, once", async () => {
  const page = await openOrders();
  page.notifications.emit("ReceiveNotification", news("a"));
  page.notifications.emit("ReceiveNotification", news("a"));
  const [toast, ...others] = toasts();
  assert.equal(others.length, 0);
  assert.equal(toast?.dataset["type"], "Success");
  assert.equal(toast?.querySelector("a")?.textContent, "Title a");
  assert.equal(toast?.querySelector("a")?.getAttribute("href"), "/notifications");
  assert.equal(toast?.querySelector(".toast-message")?.textContent, "Text");
  await pass(7999);
  assert.equal(toasts().length, 1);
  await pass(1);
  assert.equal(toasts().length, 0);
});

test("it leads to the order that it is about", async () => {
  const page = await openOrders();
  page.notifications.emit("ReceiveNotification", news("a", { orderId: "1001" }));
  assert.equal(toasts()[0]?.querySelector("a")?.getAttribute("href"), "/orders/1001");
});

test("it stays while somebody points at it, and can be closed", async () => {
  const page = await openOrders();
  page.notifications.emit("ReceiveNotification", news("a"));
  const toast = toasts()[0];
  toast?.dispatchEvent(new window.Event("pointerenter"));
  await pass(60_000);
  assert.equal(toasts().length, 1);
  toast?.dispatchEvent(new window.Event("pointerleave"));
  await pass(8000);
  assert.equal(toasts().length, 0);

  page.notifications.emit("ReceiveNotification", news("b"));
  toasts()[0]?.querySelector<HTMLElement>(".toast-close")?.click();
  assert.equal(toasts().length, 0);
});

test("there are not too many at once", async () => {
  const page = await openOrders();
  for (const id of ["a", "b", "c", "d", "e", "f"]) {
    page.notifications.emit("ReceiveNotification", news(id));
  }
  assert.deepEqual(toasts().map((toast) => toast.querySelector("a")?.textContent), ["Title c", "Title d", "Title e", "Title f"]);
});

test("there is one at a time on a narrow screen", async () => {
  const page = await openOrders();
  const asked: string[] = [];
  window.matchMedia = (query) => {
    asked.push(query);
    return { matches: true } as MediaQueryList;
  };
  for (const id of ["a", "b", "c"]) {
    page.notifications.emit("ReceiveNotification", news(id));
  }
  assert.deepEqual(toasts().map((toast) => toast.querySelector("a")?.textContent), ["Title c"]);
  assert.equal(asked[0], "(max-width: 36rem)");
});

test("there is none about the order that is looked at", async () => {
  const page = new LivePage("order", "/orders/1001");
  await page.open();
  page.notifications.emit("ReceiveNotification", news("a", { orderId: "1001" }));
  page.notifications.emit("ReceiveNotification", news("b", { orderId: "1002" }));
  page.notifications.emit("ReceiveNotification", news("c"));
  assert.deepEqual(toasts().map((toast) => toast.querySelector("a")?.textContent), ["Title b", "Title c"]);
});

test("the bell follows the server's count", async () => {
  const page = await openOrders();
  const bell = byId("unread-count");
  for (const [count, text, hidden] of [[5, "5", false], [120, "99+", false], [0, "0", true], [1, "1", false]] as const) {
    page.notifications.emit("UnreadCountUpdated", count);
    assert.equal(bell.textContent, text);
    assert.equal(bell.hidden, hidden);
    assert.equal(byId("bell").getAttribute("aria-label"), `Notifications, ${text} unread`);
  }
});
