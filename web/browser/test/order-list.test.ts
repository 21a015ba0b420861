import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { OrderSnapshot } from "../src/contract.ts";
import { byId, settle } from "./dom.ts";
import { closePage, LivePage, pass, stopClock } from "./live-page.ts";

beforeEach(stopClock);
afterEach(closePage);

const snapshot = (id: string, change: Partial<OrderSnapshot> = {}): OrderSnapshot => ({
  id, status: "Processing", progress: 30, message: "", version: 1, updatedAt: "2026-03-04T12:00:00Z", ...change,
});

async function openOrders(): Promise<LivePage> {
  const page = new LivePage("orders", "/orders");
  page.orders.answer = (_, id) => snapshot(String(id));
  await page.open();
  return page;
}

const subscriptions = (page: LivePage) => page.orders.log.filter((entry) => entry.startsWith("invoke")).sort();
const card = (id: string) => document.querySelector<HTMLElement>(`[data-order-id="${id}"]`);
const ids = () => [...byId("order-list").children].map((item) => (item as HTMLElement).dataset["orderId"]);

test("it watches the orders that may still move", async () => {
  const page = await openOrders();
  assert.deepEqual(subscriptions(page), ["invoke SubscribeToOrder 1001", "invoke SubscribeToOrder 1002"]);
});

test("a change is shown at its order", async () => {
  const page = await openOrders();
  page.orders.emit("OrderChanged", snapshot("1001", { version: 3, status: "Completed", progress: 100, message: "Done" }));
  const shown = card("1001");
  assert.equal(shown?.querySelector(".badge")?.textContent, "Completed");
  assert.equal(shown?.querySelector<HTMLElement>(".badge")?.dataset["status"], "Completed");
  assert.equal(shown?.querySelector<HTMLElement>(".meter-bar")?.style.width, "100%");
  assert.equal(shown?.querySelector(".meter")?.getAttribute("aria-valuenow"), "100");
  assert.equal(shown?.querySelector(".order-card-message")?.textContent, "Done");
  assert.equal(byId("open-orders").textContent, "1");
  page.orders.emit("OrderChanged", snapshot("1001", { version: 2, status: "Shipped" }));
  assert.equal(shown?.querySelector(".badge")?.textContent, "Completed");
  page.orders.emit("OrderChanged", snapshot("unknown", { version: 2 }));
});

test("an order that is refused does not stop the others", async () => {
  const page = new LivePage("orders", "/orders");
  page.orders.answer = (_, id) => {
    if (id === "1002") {
      throw new Error("Not authorized to view this order");
    }
    return snapshot(String(id), { version: 5, status: "Shipped" });
  };
  await page.open();
  assert.equal(card("1001")?.dataset["status"], "Shipped");
  assert.equal(page.client.live, true);
  assert.equal(page.fetches, 1, "the list is asked for anew, without it");
});

test("a notification about an order that is not there yet brings it, and it is watched", async () => {
  const page = await openOrders();
  const first = card("1001");
  page.orders.emit("OrderChanged", snapshot("1001", { version: 9, status: "Shipped" }));
  page.tag = '"2"';
  page.html = page.html.replace('id="order-list">', 'id="order-list"><li data-order-id="1003" data-version="1" data-status="Pending"></li>');
  const n = { id: "n", sequence: 4, title: "New", message: "", type: "OrderUpdate", createdAt: "2026-03-04T12:00:00Z" };
  page.notifications.emit("ReceiveNotification", { ...n, data: { orderId: "1001" } });
  await settle();
  assert.equal(page.fetches, 0);
  page.notifications.emit("ReceiveNotification", { ...n, id: "m", sequence: 5, data: { orderId: "1003" } });
  await settle();
  assert.equal(page.fetches, 1);
  assert.deepEqual(ids(), ["1003", "1002", "1001", "1000"]);
  assert.equal(card("1001"), first, "what is newer than the answer is kept");
  assert.equal(first?.dataset["status"], "Shipped");
  assert.ok(subscriptions(page).includes("invoke SubscribeToOrder 1003"));
  assert.equal(subscriptions(page).length, 3);
  assert.equal(byId("all-orders").textContent, "4");
});

test("after a reconnect all are watched again", async () => {
  const page = await openOrders();
  await pass(60_000);
  await page.loseAll();
  await page.back();
  assert.equal(subscriptions(page).length, 4);
});
