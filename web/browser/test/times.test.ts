import assert from "node:assert/strict";
import { test } from "node:test";
import { ageInWords, ago, setTime, showTimes } from "../src/times.ts";
import { openPage } from "./dom.ts";

const now = new Date("2026-03-04T12:00:00Z");
const before = (seconds: number) => new Date(now.getTime() - seconds * 1000);

test("how long ago something was", () => {
  for (const [seconds, words] of [
    [-60, "just now"],
    [0, "just now"],
    [44, "just now"],
    [45, "1 minute ago"],
    [100, "2 minutes ago"],
    [3600, "1 hour ago"],
    [7 * 3600, "7 hours ago"],
    [86_400, "yesterday"],
    [3 * 86_400, "3 days ago"],
  ] as const) {
    assert.equal(ago(before(seconds), now), words);
  }
  assert.match(ago(before(30 * 86_400), now), /2026/);
});

test("how old something is", () => {
  assert.equal(ageInWords(-5), "0 seconds");
  assert.equal(ageInWords(1999), "1 second");
  assert.equal(ageInWords(59_999), "59 seconds");
  assert.equal(ageInWords(60_000), "1 minute");
  assert.equal(ageInWords(7_200_000), "2 hours");
});

test("time elements tell how long ago it was, and exactly when on a closer look", () => {
  openPage('<time id="a" datetime="2026-03-04T11:55:00Z">then</time><time id="b" datetime="nonsense">then</time>');
  showTimes(now);
  assert.equal(document.getElementById("a")?.textContent, "5 minutes ago");
  assert.match(document.getElementById("a")?.title ?? "", /2026/);
  assert.equal(document.getElementById("b")?.textContent, "then");
  setTime(document.getElementById("b"), "2020-01-01T00:00:00Z");
  assert.match(document.getElementById("b")?.textContent ?? "", /2020|2019/);
});
