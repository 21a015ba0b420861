import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { OrderSnapshot } from "../src/contract.ts";
import { byId, settle } from "./dom.ts";
import { closePage, LivePage, pass, stopClock } from "./live-page.ts";

beforeEach(stopClock);
afterEach(closePage);

/** The order as the page shows it when it is rendered. */
const rendered: OrderSnapshot = {
  id: "1001", status: "Processing", progress: 30, message: "Packing", version: 2, updatedAt: "2026-03-04T12:08:00Z",
};

const changed = (change: Partial<OrderSnapshot>): OrderSnapshot => ({
  ...rendered, version: 3, updatedAt: "2026-03-04T12:59:30Z", ...change,
});

async function openOrder(snapshot: OrderSnapshot = rendered): Promise<LivePage> {
  const page = new LivePage("order", "/orders/1001");
  page.orders.answer = () => snapshot;
  await page.open();
  return page;
}

const shown = () => ({
  status: byId("status-badge").textContent,
  message: byId("status-message").textContent,
  width: byId("progress-bar").style.width,
  percent: byId("progress-bar").textContent,
  dialog: !byId("completion-modal").classList.contains("hidden"),
});

const timeline = () =>
  [...byId("timeline").children].map((entry) =>
    [entry.querySelector("strong"), entry.querySelector(".timeline-progress"), entry.querySelector(".timeline-message")]
      .map((element) => element?.textContent)
      .join(" "),
  );

test("it subscribes after its handlers are there, and shows that it is live", async () => {
  const page = await openOrder();
  const { log } = page.orders;
  assert.ok(log.indexOf("on OrderChanged") < log.indexOf("start"));
  assert.equal(log.at(-1), "invoke SubscribeToOrder 1001");
  assert.equal(byId("connection-text").textContent, "Live");
  assert.equal(byId("connection-state").dataset["state"], "connected");
  assert.equal(byId("data-age").textContent, "Up to date");
  assert.equal(shown().dialog, false);
});

test("a change is shown", async () => {
  const page = await openOrder();
  page.orders.emit("OrderChanged", changed({ status: "Shipped", progress: 72, message: "On its way" }));
  assert.deepEqual(shown(), { status: "Shipped", message: "On its way", width: "72%", percent: "72%", dialog: false });
  assert.equal(byId("progress-bar").getAttribute("aria-valuenow"), "72");
  assert.equal(byId("status-badge").dataset["status"], "Shipped");
  assert.equal(byId("steps").dataset["status"], "Shipped");
  assert.equal(byId("order").dataset["version"], "3");
  assert.deepEqual(timeline(), ["Shipped 72% On its way", "Processing 30% Packing", "Pending 0% Received"]);
  assert.equal(document.querySelector("#updated-at time")?.textContent, "just now");
});

test("a change of the progress alone is no new entry of the timeline", async () => {
  const page = await openOrder();
  page.orders.emit("OrderChanged", changed({ progress: 45 }));
  assert.equal(shown().percent, "45%");
  assert.deepEqual(timeline(), ["Processing 45% Packing", "Pending 0% Received"]);
});

test("what is old, repeated, or of another order changes nothing", async () => {
  const page = await openOrder();
  const before = shown();
  page.orders.emit("OrderChanged", changed({ version: 1, status: "Pending", progress: 0 }));
  page.orders.emit("OrderChanged", changed({ version: 2, status: "Shipped" }));
  page.orders.emit("OrderChanged", changed({ id: "1002", status: "Failed" }));
  page.orders.emit("OrderStatusUpdated", "1001", "Failed", "no");
  page.orders.emit("OrderProgressUpdated", "1001", 99);
  page.orders.emit("OrderCompleted", "1001");
  assert.deepEqual(shown(), before);
});

test("the dialog opens once when the order is completed while watching, and can be closed", async () => {
  const page = await openOrder();
  page.orders.emit("OrderChanged", changed({ status: "Completed", progress: 100 }));
  assert.equal(shown().dialog, true);
  const dialog = byId("completion-modal") as HTMLDialogElement;
  assert.equal(dialog.open, true);
  dialog.close();
  assert.equal(shown().dialog, false);
  page.orders.emit("OrderChanged", changed({ version: 4, status: "Completed", progress: 100, message: "Enjoy" }));
  assert.equal(shown().dialog, false);
  assert.equal(shown().message, "Enjoy");
});

test("the dialog opens when the order was completed between rendering and connecting", async () => {
  await openOrder(changed({ status: "Completed", progress: 100 }));
  assert.deepEqual(shown(), { status: "Completed", message: "Packing", width: "100%", percent: "100%", dialog: true });
});

test("a gap is shown at once, and the timeline is then asked for", async () => {
  const page = await openOrder();
  page.tag = '"2"';
  page.html = page.html
    .replace('data-version="2"', 'data-version="5"')
    .replace('<ol class="timeline" id="timeline">', '<ol class="timeline" id="timeline"><li data-status="Shipped"><strong>Shipped</strong></li>');
  page.orders.emit("OrderChanged", changed({ version: 5, status: "Shipped", progress: 80 }));
  assert.equal(shown().status, "Shipped");
  await pass(0);
  assert.equal(page.fetches, 1);
  assert.equal(byId("timeline").children.length, 3);
  assert.equal(shown().status, "Shipped");
});

test("a page that is older than what has arrived meanwhile is not taken over", async () => {
  const page = await openOrder();
  page.orders.emit("OrderChanged", changed({ version: 9, status: "Shipped", progress: 80, message: "On its way" }));
  await pass(0);
  assert.equal(page.fetches, 1);
  assert.equal(shown().status, "Shipped");
  assert.equal(timeline()[0], "Shipped 80% On its way");
});

test("without a connection it says so, its age grows, and it asks for itself", async () => {
  const page = await openOrder();
  await pass(60_000);
  await page.loseAll();
  assert.equal(byId("connection-text").textContent, "Reconnecting…");
  assert.ok(document.body.classList.contains("signalr-reconnecting"));
  page.offline = true;
  await pass(12_000);
  assert.equal(byId("data-age").textContent, "12 seconds old");
  await pass(48_000);
  assert.equal(page.fetches, 2);
  assert.equal(byId("data-age").textContent, "1 minute old");

  page.offline = false;
  page.html = page.html
    .replace('data-version="2"', 'data-version="3"')
    .replace('data-status="Processing" data-progress="30" data-message="Packing"', 'data-status="Completed" data-progress="100" data-message="Done"');
  await pass(30_000);
  assert.equal(page.fetches, 3);
  assert.equal(byId("data-age").textContent, "0 seconds old");
  assert.deepEqual(shown(), { status: "Completed", message: "Done", width: "100%", percent: "100%", dialog: true });
});

test("a hidden page asks for itself when it is looked at again", async () => {
  const page = await openOrder();
  await page.loseAll();
  let hidden = true;
  Object.defineProperty(document, "hidden", { get: () => hidden });
  await pass(90_000);
  assert.equal(page.fetches, 0);
  hidden = false;
  document.dispatchEvent(new window.Event("visibilitychange"));
  assert.equal(page.fetches, 1);
});

test("with a connection it does not ask for itself", async () => {
  const page = await openOrder();
  await pass(600_000);
  assert.equal(page.fetches, 0);
});

test("after a reconnect it subscribes again and shows what happened meanwhile", async () => {
  const page = await openOrder();
  await pass(60_000);
  await page.loseAll();
  page.orders.answer = () => changed({ status: "Shipped", progress: 60 });
  await page.back();
  assert.equal(page.orders.log.filter((entry) => entry === "invoke SubscribeToOrder 1001").length, 2);
  assert.equal(shown().status, "Shipped");
  assert.equal(byId("connection-text").textContent, "Live");
  assert.equal(document.body.className, "");
});

for (const [name, answer] of [
  ["sent to sign in", { redirected: true }],
  ["told that there is nothing", { status: 404 }],
] as const) {
  test(`it is loaded again when it is ${name}`, async () => {
    const page = await openOrder();
    await page.loseAll();
    Object.assign(page, answer);
    await pass(30_000);
    assert.equal(page.reloads, 1);
  });
}

test("it is loaded again at once when its order has been given away", async () => {
  const page = await openOrder();
  page.status = 404;
  page.orders.answer = () => {
    throw new Error("Not authorized to view this order");
  };
  page.orders.drop();
  await settle();
  await pass(0);
  assert.equal(page.reloads, 1);
  assert.notEqual(byId("data-age").textContent, "Up to date");
});

test("it is loaded again at once when its session is over, hidden or not", async () => {
  const page = await openOrder();
  Object.defineProperty(document, "hidden", { get: () => true });
  page.redirected = true;
  for (const fake of [page.orders, page.notifications]) {
    fake.authorized = false;
    fake.drop();
  }
  await settle();
  await pass(0);
  assert.equal(page.reloads, 1);
});

test("it is not loaded again by the tab that is just signing out", async () => {
  const page = await openOrder();
  document.querySelector('form[action="/signout"]')?.dispatchEvent(new window.Event("submit"));
  page.redirected = true;
  page.orders.authorized = false;
  page.orders.drop();
  await settle();
  await pass(0);
  assert.equal(page.fetches, 1);
  assert.equal(page.reloads, 0);
});

test("an answer of a server that is not well changes nothing", async () => {
  const page = await openOrder();
  const before = shown();
  await page.loseAll();
  page.status = 503;
  page.html = "<h1>Unavailable</h1>";
  await pass(30_000);
  assert.equal(page.fetches, 1);
  assert.deepEqual(shown(), before);
  assert.equal(byId("data-age").textContent, "30 seconds old");
});
