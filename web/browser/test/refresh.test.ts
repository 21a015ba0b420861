import assert from "node:assert/strict";
import { test } from "node:test";
import { Refresher } from "../src/refresh.ts";
import { settle } from "./dom.ts";

/** A server that answers when the test says so. */
function newServer() {
  const waiting: ((response: Response) => void)[] = [];
  const events: string[] = [];
  const refresher = new Refresher({
    url: () => "/page",
    fetch: () => {
      events.push("fetch");
      return new Promise((resolve) => waiting.push(resolve));
    },
    parse: (html) => ({ html }) as unknown as Document,
    apply: (page) => events.push(`apply ${(page as unknown as { html: string }).html}`),
    confirmed: () => events.push("confirmed"),
    leave: () => events.push("leave"),
  });
  const answer = async (html: string, tag: string) => {
    waiting.shift()?.(new Response(html, { headers: { ETag: tag } }));
    await settle();
  };
  return { refresher, events, answer };
}

test("a page that has not changed is not taken over again", async () => {
  const { refresher, events, answer } = newServer();
  for (const [html, tag] of [["one", '"1"'], ["one", '"1"'], ["two", '"2"']] as const) {
    void refresher.refresh();
    await answer(html, tag);
  }
  assert.deepEqual(events, ["fetch", "apply one", "confirmed", "fetch", "confirmed", "fetch", "apply two", "confirmed"]);
});

test("asked for while it is being done, it is done once more", async () => {
  const { refresher, events, answer } = newServer();
  const first = refresher.refresh();
  void refresher.refresh();
  void refresher.refresh();
  await answer("one", '"1"');
  await answer("two", '"2"');
  await first;
  assert.deepEqual(events, ["fetch", "apply one", "confirmed", "fetch", "apply two", "confirmed"]);
});

test("an answer that live changes have outrun is not taken over", async () => {
  const { refresher, events, answer } = newServer();
  const done = refresher.refresh();
  refresher.changed();
  await answer("before the change", '"1"');
  await answer("after the change", '"2"');
  await done;
  assert.deepEqual(events, ["fetch", "fetch", "apply after the change", "confirmed"]);
});

test("a page that changes all the time is taken over now and then", async () => {
  const { refresher, events, answer } = newServer();
  const done = refresher.refresh();
  for (let i = 1; i <= 6; i++) {
    refresher.changed();
    await answer(String(i), `"${i}"`);
  }
  await done;
  assert.deepEqual(events, [...Array<string>(6).fill("fetch"), "apply 6", "confirmed"]);
});

test("a page that live changes have led away from a version is given that version again", async () => {
  const { refresher, events, answer } = newServer();
  void refresher.refresh();
  await answer("one", '"1"');
  refresher.changed();
  void refresher.refresh();
  await answer("one", '"1"');
  assert.deepEqual(events, ["fetch", "apply one", "confirmed", "fetch", "apply one", "confirmed"]);
});
