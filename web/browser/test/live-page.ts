import { readFileSync } from "node:fs";
import { mock } from "node:test";
import { goLive } from "../src/live.ts";
import { SignalRClient } from "../src/signalr-client.ts";
import type { CatchUpResult, Notification } from "../src/contract.ts";
import { byId, openPage, settle } from "./dom.ts";
import { FakeConnection } from "./fake-connection.ts";

/** A page as the server renders it; the tests of the server write it. */
export function pageOf(name: string): string {
  return readFileSync(`test/pages/${name}.html`, "utf8");
}

let current: LivePage | undefined;

/** A page that is open, with fakes for both hubs and for the server that it asks for itself. */
export class LivePage {
  readonly notifications = new FakeConnection();
  readonly orders = new FakeConnection();
  readonly client: SignalRClient;
  /** What the server answers when it is asked for the page. */
  html: string;
  tag = '"1"';
  status = 200;
  redirected = false;
  offline = false;
  /** How often the page was asked for, and loaded again. */
  fetches = 0;
  reloads = 0;

  constructor(name: string, path: string) {
    this.html = pageOf(name);
    openPage(this.html, `http://signalbox.test${path}`);
    this.client = new SignalRClient({
      build: (url) => (url === "/hubs/orders" ? this.orders : this.notifications).hub,
      random: () => 0,
    });
    current = this;
    this.notifications.answer = (method, ...args) => (method === "CatchUp" ? this.#catchUp(Number(args[0])) : undefined);
  }

  /** What the server has kept for CatchUp, in order, and how it stands. */
  kept: Notification[] = [];
  read: string[] = [];
  firstSequence = 1;
  unreadCount: number | undefined;
  /** How many notifications one answer brings. */
  most = 100;
  /** The sequences that CatchUp was asked for. */
  readonly caughtUp: number[] = [];

  #catchUp(last: number): CatchUpResult {
    this.caughtUp.push(last);
    const after = this.kept.filter((n) => n.sequence > last);
    const notifications = after.slice(0, this.most);
    return {
      notifications, read: this.read, more: after.length > notifications.length,
      gap: last + 1 < this.firstSequence, firstSequence: this.firstSequence, fetchUrl: "/notifications",
      lastSequence: notifications.at(-1)?.sequence ?? last,
      unreadCount: this.unreadCount ?? Number(byId("unread-count").dataset["count"]) + after.length,
    };
  }

  async open(): Promise<void> {
    goLive(this.client, {
      fetch: async (url, init) => {
        this.fetches++;
        if (this.offline) {
          throw new TypeError("Failed to fetch");
        }
        if (url !== window.location.href || init.cache !== "no-cache") {
          throw new Error(`unexpected request for ${url} with ${JSON.stringify(init)}`);
        }
        const response = new Response(this.html, { status: this.status, headers: { ETag: this.tag } });
        Object.defineProperty(response, "redirected", { value: this.redirected });
        return response;
      },
      reload: () => this.reloads++,
    });
    await settle();
  }

  /** The connection of every hub is lost, and the server cannot be reached. */
  async loseAll(): Promise<void> {
    for (const fake of [this.notifications, this.orders]) {
      fake.reachable = false;
      fake.drop();
    }
    await settle();
  }

  /** The server can be reached again, and the page notices. */
  async back(): Promise<void> {
    this.notifications.reachable = true;
    this.orders.reachable = true;
    this.client.wake();
    await settle();
  }
}

/** Lets that many milliseconds pass. */
export async function pass(milliseconds: number): Promise<void> {
  mock.timers.tick(milliseconds);
  await settle();
}

/** Stops the clock at a time shortly after the pages were made. */
export function stopClock(): void {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.parse("2026-03-04T13:00:00Z") });
  mock.method(console, "warn", () => {});
}

/** Ends what goes on for ever, and lets the clock run. */
export async function closePage(): Promise<void> {
  await current?.client.disconnect("notifications");
  await current?.client.disconnect("orders");
  current = undefined;
  mock.timers.reset();
  mock.restoreAll();
}
