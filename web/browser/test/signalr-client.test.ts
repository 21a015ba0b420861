import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { HttpTransportType } from "@microsoft/signalr";
import { SignalRClient, transportOf } from "../src/signalr-client.ts";
import { openPage, settle } from "./dom.ts";
import { FakeConnection } from "./fake-connection.ts";

/** A client whose connections are fakes; random is what its jitter is made from. */
function newClient(random = 0) {
  const built: FakeConnection[] = [];
  const next = new FakeConnection();
  const client = new SignalRClient({
    build: () => {
      const fake = built.length === 0 ? next : new FakeConnection();
      built.push(fake);
      return fake.hub;
    },
    random: () => random,
  });
  return { client, fake: next, built };
}

const classes = () => [...document.body.classList].sort();

/** Lets that many milliseconds pass. */
async function pass(milliseconds: number): Promise<void> {
  mock.timers.tick(milliseconds);
  await settle();
}

beforeEach(() => {
  openPage("<body></body>");
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  mock.method(console, "warn", () => {});
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

describe("connecting", () => {
  test("resolves with the connection, which is then the hub's", async () => {
    const { client, fake } = newClient();
    assert.equal(client.getConnection("orders"), undefined);
    assert.equal(await client.connect("/hubs/orders", "orders"), fake.hub);
    assert.equal(client.getConnection("orders"), fake.hub);
    assert.equal(client.connections.get("orders"), fake.hub);
    assert.equal(client.live, true);
    assert.deepEqual(classes(), []);
  });

  test("concurrent and later calls share one connection", async () => {
    const { client, fake, built } = newClient();
    const [a, b] = await Promise.all([client.connect("/h", "orders"), client.connect("/h", "orders")]);
    const c = await client.connect("/h", "orders");
    assert.deepEqual([a, b, c], [fake.hub, fake.hub, fake.hub]);
    assert.equal(built.length, 1);
    assert.equal(fake.starts, 1);
  });

  test("each hub has a connection of its own", async () => {
    const { client, built } = newClient();
    await Promise.all([client.connect("/a", "orders"), client.connect("/b", "notifications")]);
    assert.equal(built.length, 2);
    assert.notEqual(client.getConnection("orders"), client.getConnection("notifications"));
  });

  test("handlers are registered before the start, subscriptions invoked after it", async () => {
    const { client, fake } = newClient();
    await client.connect("/h", "orders", {
      prepare: (connection) => connection.on("OrderChanged", () => {}),
      connected: (connection) => connection.invoke("SubscribeToOrder", "1001"),
    });
    assert.deepEqual(fake.log, ["on OrderChanged", "start", "invoke SubscribeToOrder 1001"]);
  });

  test("hooks that come later are served at once, and again after a reconnect", async () => {
    const { client, fake } = newClient();
    await client.connect("/h", "orders");
    await client.connect("/h", "orders", {
      prepare: (connection) => connection.on("OrderChanged", () => {}),
      connected: (connection) => connection.invoke("SubscribeToOrder", "7"),
    });
    await settle();
    assert.deepEqual(fake.log, ["start", "on OrderChanged", "invoke SubscribeToOrder 7"]);
    fake.drop();
    await settle();
    await pass(0);
    assert.deepEqual(fake.log.slice(3), ["start", "invoke SubscribeToOrder 7"]);
  });

  test("a failed first start is tried again until it succeeds, and connect waits for it", async () => {
    const { client, fake } = newClient();
    fake.reachable = false;
    let connected = false;
    const connecting = client.connect("/h", "orders").then(() => (connected = true));
    await settle();
    assert.deepEqual(classes(), ["signalr-disconnected"]);
    assert.equal(client.live, false);
    assert.equal(client.getConnection("orders"), undefined);
    await pass(0);
    await pass(2000);
    assert.equal(fake.starts, 3);
    assert.equal(connected, false);
    fake.reachable = true;
    await pass(5000);
    await connecting;
    assert.equal(fake.starts, 4);
    assert.deepEqual(classes(), []);
  });
});

describe("reconnecting", () => {
  test("follows the delays, then goes on for ever with jitter", async () => {
    const { client, fake } = newClient(0.5);
    const states: string[] = [];
    client.onStateChange((hub, state) => states.push(`${hub} ${state}`));
    await client.connect("/h", "orders");
    await pass(60_000);
    fake.reachable = false;
    fake.drop();
    await settle();
    assert.deepEqual(classes(), ["signalr-reconnecting"]);
    let starts = fake.starts;
    for (const delay of [0, 2000, 5000, 10000, 30000]) {
      assert.deepEqual(classes(), ["signalr-reconnecting"], `before the attempt after ${delay} ms`);
      if (delay > 0) {
        await pass(delay - 1);
        assert.equal(fake.starts, starts, `not before ${delay} ms`);
      }
      await pass(delay > 0 ? 1 : 0);
      assert.equal(fake.starts, ++starts, `after ${delay} ms`);
    }
    assert.deepEqual(classes(), ["signalr-disconnected"]);
    for (let i = 0; i < 20; i++) {
      await pass(37_499);
      assert.equal(fake.starts, starts);
      await pass(1);
      assert.equal(fake.starts, ++starts);
    }
    fake.reachable = true;
    await pass(37_500);
    assert.deepEqual(classes(), []);
    assert.equal(client.live, true);
    assert.deepEqual(states, ["orders connected", "orders reconnecting", "orders disconnected", "orders connected"]);
    assert.equal(client.getConnection("orders"), fake.hub);
  });

  test("a later loss begins with the first delay again", async () => {
    const { client, fake } = newClient();
    await client.connect("/h", "orders");
    for (let i = 0; i < 3; i++) {
      await pass(60_000);
      fake.drop();
      await settle();
      await pass(0);
      assert.equal(fake.up, true);
    }
  });

  test("a connection that the server closes at once is not tried in a tight loop", async () => {
    const { client, fake } = newClient();
    await client.connect("/h", "orders");
    for (const delay of [0, 2000, 5000]) {
      fake.drop();
      await settle();
      const starts = fake.starts;
      if (delay > 0) {
        await pass(delay - 1);
        assert.equal(fake.starts, starts);
      }
      await pass(1);
      assert.equal(fake.starts, starts + 1);
    }
  });

  test("a refused subscription is no connection", async () => {
    const { client, fake } = newClient();
    fake.answer = () => {
      throw new Error("Not authorized to view this order");
    };
    void client.connect("/h", "orders", { connected: (connection) => connection.invoke("SubscribeToOrder", "1") });
    await settle();
    assert.equal(fake.up, false);
    assert.deepEqual(classes(), ["signalr-disconnected"]);
    fake.answer = () => ({});
    await pass(0);
    assert.equal(client.live, true);
  });

  test("a subscription refused later closes the connection and is tried again", async () => {
    const { client, fake } = newClient();
    await client.connect("/h", "orders");
    await pass(60_000);
    fake.answer = () => {
      throw new Error("no");
    };
    await client.connect("/h", "orders", { connected: (connection) => connection.invoke("SubscribeToOrder", "1") });
    await settle();
    assert.equal(client.state("orders"), "reconnecting");
    fake.answer = () => ({});
    await pass(0);
    assert.equal(client.state("orders"), "connected");
  });

  for (const [name, signal] of [
    ["the browser is back online", () => window.dispatchEvent(new window.Event("online"))],
    ["the page is looked at again", () => document.dispatchEvent(new window.Event("visibilitychange"))],
    ["the page is shown again", () => window.dispatchEvent(new window.Event("pageshow"))],
  ] as const) {
    test(`tries at once when ${name}`, async () => {
      Object.defineProperty(document, "visibilityState", { value: "visible", configurable: true });
      const { client, fake } = newClient();
      await client.connect("/h", "orders");
      fake.reachable = false;
      fake.drop();
      await settle();
      await pass(0);
      const starts = fake.starts;
      fake.reachable = true;
      signal();
      await settle();
      assert.equal(fake.starts, starts + 1);
      assert.equal(client.live, true);
    });
  }

  test("does not try when the page is hidden", async () => {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    const { client, fake } = newClient();
    await client.connect("/h", "orders");
    fake.reachable = false;
    fake.drop();
    await settle();
    await pass(0);
    const starts = fake.starts;
    document.dispatchEvent(new window.Event("visibilitychange"));
    await settle();
    assert.equal(fake.starts, starts);
  });

  test("the body's classes are there while any hub is not connected", async () => {
    const { client, built } = newClient();
    await Promise.all([client.connect("/a", "orders"), client.connect("/b", "notifications")]);
    const [orders, notifications] = built as [FakeConnection, FakeConnection];
    await pass(60_000);
    for (const fake of built) {
      fake.reachable = false;
      fake.drop();
    }
    await settle();
    assert.deepEqual(classes(), ["signalr-reconnecting"]);
    orders.reachable = true;
    await pass(0);
    assert.deepEqual(classes(), ["signalr-reconnecting"]);
    notifications.reachable = true;
    await pass(2000);
    assert.deepEqual(classes(), []);
  });
});

describe("disconnecting", () => {
  test("closes the connection and does not reconnect", async () => {
    const { client, fake } = newClient();
    await client.connect("/h", "orders");
    await client.disconnect("orders");
    assert.equal(fake.up, false);
    assert.equal(client.getConnection("orders"), undefined);
    assert.deepEqual(classes(), []);
    await pass(600_000);
    assert.equal(fake.starts, 1);
  });

  test("ends the attempts, and whoever waits for them is told", async () => {
    const { client, fake } = newClient();
    fake.reachable = false;
    const connecting = client.connect("/h", "orders");
    const refused = assert.rejects(connecting, /orders was closed/);
    await settle();
    await client.disconnect("orders");
    await refused;
    assert.deepEqual(classes(), []);
    const { starts } = fake;
    await pass(600_000);
    assert.equal(fake.starts, starts);
  });

  test("one may connect again afterwards", async () => {
    const { client, built } = newClient();
    await client.connect("/h", "orders");
    await client.disconnect("orders");
    await client.connect("/h", "orders");
    assert.equal(built.length, 2);
    assert.equal(client.getConnection("orders"), built[1]?.hub);
  });

  test("what was never connected needs no disconnecting", async () => {
    const { client } = newClient();
    await client.disconnect("nothing");
  });
});

test("the page's address may name the transport", () => {
  const all = HttpTransportType.WebSockets | HttpTransportType.ServerSentEvents | HttpTransportType.LongPolling;
  assert.equal(transportOf(""), all);
  assert.equal(transportOf("?transport=Pigeon"), all);
  assert.equal(transportOf("?a=b&transport=WebSockets"), HttpTransportType.WebSockets);
  assert.equal(transportOf("?transport=ServerSentEvents"), HttpTransportType.ServerSentEvents);
  assert.equal(transportOf("?transport=LongPolling"), HttpTransportType.LongPolling);
});
