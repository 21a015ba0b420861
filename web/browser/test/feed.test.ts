import assert from "node:assert/strict";
import { test } from "node:test";
import type { CatchUpResult, Notification } from "../src/contract.ts";
import { Feed } from "../src/feed.ts";

function notification(sequence: number): Notification {
  return { id: `n${sequence}`, sequence } as Notification;
}

/** A feed that shows everything up to 1, and a server that answers when the test says so. */
function newFeed() {
  const asked: number[] = [];
  const shown: number[] = [];
  const waiting: ((answer: CatchUpResult) => void)[] = [];
  const feed = new Feed(1, {
    catchUp: (last) => {
      asked.push(last);
      return new Promise((resolve) => waiting.push(resolve));
    },
    show: (n) => shown.push(n.sequence),
  });
  const answer = async (lastSequence: number, ...sequences: number[]) => {
    waiting.shift()?.({
      notifications: sequences.map(notification), read: [], gap: false, more: false, lastSequence, unreadCount: 0,
    } as unknown as CatchUpResult);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { feed, asked, shown, answer };
}

test("what was lost behind an answer is asked for before what came after it is shown", async () => {
  const { feed, asked, shown, answer } = newFeed();
  const done = feed.catchUp();
  feed.receive(notification(3)); // 2 was stored after the answer was made, and lost on its way
  await answer(1);
  await answer(2, 2);
  await done;
  assert.deepEqual(asked, [1, 1]);
  assert.deepEqual(shown, [2, 3]);
});

test("a server that does not tell is not asked for ever", async () => {
  const { feed, asked, shown, answer } = newFeed();
  const done = feed.catchUp();
  feed.receive(notification(3));
  for (let i = 0; i < 3; i++) {
    await answer(1);
  }
  await done;
  assert.deepEqual(asked, [1, 1, 1]);
  assert.deepEqual(shown, [3]);
});
