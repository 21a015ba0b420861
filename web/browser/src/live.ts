import type { HubConnection } from "@microsoft/signalr";
import { applyUnread, setUnread } from "./bell.ts";
import {
  notificationHub,
  orderHub,
  type CatchUpResult,
  type Hub,
  type Notification,
  type OrderSnapshot,
} from "./contract.ts";
import { Feed } from "./feed.ts";
import type { HubHooks } from "./hub-link.ts";
import { Inbox } from "./inbox.ts";
import { OrderList } from "./order-list.ts";
import { OrderPage } from "./order-page.ts";
import { Receipts } from "./receipts.ts";
import { Refresher } from "./refresh.ts";
import type { SignalRClient } from "./signalr-client.ts";
import { showTimes } from "./times.ts";
import { toast } from "./toasts.ts";
import { Topics } from "./topics.ts";

/** How the server is asked for the page; tests replace it. */
export interface LiveOptions {
  fetch(url: string, init: RequestInit): Promise<Response>;
  reload(): void;
}

/** The other client methods of the order hub: OrderChanged tells the same, with a version, so they need do nothing. */
const unusedOrderMethods = ["OrderStatusUpdated", "OrderProgressUpdated", "OrderCompleted"];

/** Connects the page that is shown, whichever it is, to the hubs, and keeps it up to date without them. */
export function goLive(client: SignalRClient, options: LiveOptions): void {
  const page = new LivePage(client, options);
  page.connectNotifications();
  page.connectOrders();
  const refreshIfNeeded = () => {
    if (!client.live && !document.hidden) {
      page.refresh();
    }
  };
  client.onUnauthorized(() => page.refresh()); // It is asked who is there, and leads to where one signs in.
  setInterval(refreshIfNeeded, Number(document.body.dataset["pollInterval"]));
  document.addEventListener("visibilitychange", refreshIfNeeded);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      page.refresh(); // It comes from the browser's memory, as it was when it was left.
    }
  });
}

/** The parts of a page, and what each of them wants of the hubs. */
class LivePage {
  readonly #inbox: Inbox | undefined;
  readonly #orderPage: OrderPage | undefined;
  readonly #orderList: OrderList | undefined;
  readonly #topics: Topics | undefined;
  readonly #refresher: Refresher;
  readonly #feed: Feed;
  readonly #receipts = new Receipts((ids) => this.#notificationConnection().invoke("ConfirmDelivered", ids));
  /** The number of unread notifications that goes with what the page shows. */
  #unread = Number(document.getElementById("unread-count")?.dataset["count"] ?? 0);
  #caughtUp = false;
  #notifications: HubConnection | undefined;
  /** This page is on its way to where signing out leads, and is not to be loaded again instead. */
  #signingOut = false;
  /** The orders of the list that the present connection has subscribed to. */
  #watched = new Set<string>();

  constructor(
    private readonly client: SignalRClient,
    options: LiveOptions,
  ) {
    this.#refresher = new Refresher({
      url: () => window.location.href,
      fetch: (url, init) => options.fetch(url, init),
      parse: (html) => new DOMParser().parseFromString(html, "text/html"),
      apply: (page) => this.#apply(page),
      confirmed: () => this.#orderPage?.confirm(),
      leave: () => {
        if (!this.#signingOut) {
          options.reload();
        }
      },
    });
    document.querySelector('form[action="/signout"]')?.addEventListener("submit", () => (this.#signingOut = true));
    this.#feed = new Feed(sequenceOf(document), {
      catchUp: (last) => this.#notificationConnection().invoke<CatchUpResult>("CatchUp", last),
      show: (n, read) => this.#receive(n, read),
    });
    const list = document.getElementById("notification-list");
    if (list) {
      this.#inbox = new Inbox(list, {
        markAsRead: (id) => this.#markAsRead(id),
        refresh: () => this.refresh(),
      });
    }
    const order = document.getElementById("order");
    if (order) {
      this.#orderPage = new OrderPage(order, () => this.refresh());
      setInterval(() => this.#orderPage?.showAge(), 1000);
    }
    const orders = document.getElementById("order-list");
    if (orders) {
      this.#orderList = new OrderList(orders);
    }
    const topics = document.getElementById("topics");
    if (topics) {
      this.#topics = new Topics(topics, () => this.refresh());
    }
  }

  refresh(): void {
    void this.#refresher.refresh();
  }

  connectNotifications(): void {
    this.client.onStateChange((hubName, state) => {
      if (hubName === notificationHub.name && state !== "connected") {
        this.#caughtUp = false;
        this.#feed.disconnected();
      }
    });
    this.#connect(notificationHub, {
      prepare: (connection) => {
        this.#notifications = connection;
        connection.on("ReceiveNotification", (n: Notification) => this.#feed.receive(n));
        connection.on("NotificationRead", (id: string) => {
          this.#refresher.changed();
          this.#inbox?.markRead(id);
        });
        connection.on("UnreadCountUpdated", (count: number) => {
          this.#refresher.changed();
          setUnread(count);
          if (this.#caughtUp) {
            this.#unread = count;
          }
          this.#inbox?.unreadCount(count);
        });
      },
      connected: () => this.#catchUp(),
    });
  }

  /** Brings what came since the page was rendered, or since the last connection was lost. */
  async #catchUp(): Promise<void> {
    const { brought, gap, unreadCount } = await this.#feed.catchUp();
    // A list that has missed what was read elsewhere, or has a gap, is asked for anew.
    if (this.#inbox && (gap || this.#unread + brought !== unreadCount)) {
      this.refresh();
    }
    this.#unread = unreadCount;
    this.#caughtUp = true;
  }

  connectOrders(): void {
    const page = this.#orderPage;
    const list = this.#orderList;
    if (!page && !list) {
      return;
    }
    this.client.onStateChange((hubName, state) => {
      if (hubName === orderHub.name) {
        page?.connection(state);
      }
    });
    page?.connection("connecting");
    this.#connect(orderHub, {
      prepare: (connection) => {
        connection.on("OrderChanged", (order: OrderSnapshot) => this.#show(order));
        for (const method of unusedOrderMethods) {
          connection.on(method, () => {}); // Without a handler the client library warns.
        }
      },
      connected: async (connection) => {
        this.#watched = new Set();
        if (page) {
          try {
            this.#show(await connection.invoke<OrderSnapshot>("SubscribeToOrder", page.orderId));
          } catch (error) {
            this.refresh(); // If the order is somebody else's by now, the server says that it is not there.
            throw error;
          }
        }
        await this.#watchList(connection);
      },
    });
  }

  #connect(hub: Hub, hooks: HubHooks): void {
    // It fails only when somebody disconnects before it is done, and then it is meant.
    this.client.connect(hub.url, hub.name, hooks).catch(() => {});
  }

  #show(order: OrderSnapshot): void {
    this.#refresher.changed();
    this.#orderPage?.show(order);
    this.#orderList?.show(order);
  }

  /**
   * Subscribes to the orders of the list. One that is refused, having just been taken away, does not stop the others; the
   * list is asked for anew, without it.
   */
  async #watchList(connection: HubConnection): Promise<void> {
    const wanted = this.#orderList?.openOrders().filter((id) => !this.#watched.has(id)) ?? [];
    const subscribed = await Promise.allSettled(
      wanted.map(async (id) => {
        this.#watched.add(id);
        this.#show(await connection.invoke<OrderSnapshot>("SubscribeToOrder", id));
      }),
    );
    if (subscribed.some(({ status }) => status === "rejected")) {
      this.refresh();
    }
  }

  #receive(n: Notification, read: boolean): void {
    this.#refresher.changed();
    const orderId = n.data?.["orderId"];
    // What was sent to a group is in nobody's inbox and has no number.
    const listed = n.sequence > 0 && (this.#inbox?.receive(n) ?? false);
    if (read) {
      this.#inbox?.markRead(n.id);
    } else if (!listed && !(this.#orderPage && this.#orderPage.orderId === orderId)) {
      toast(n); // What is about the order that is looked at is seen there.
    }
    if (n.sequence > 0) {
      this.#receipts.add(n.id);
    }
    if (this.#orderList && typeof orderId === "string" && !this.#orderList.has(orderId)) {
      this.refresh(); // An order that was made after the page.
    }
  }

  async #markAsRead(id: string): Promise<void> {
    await this.#notificationConnection().invoke("MarkAsRead", id);
  }

  /** The connection to the notification hub, up or not. */
  #notificationConnection(): HubConnection {
    if (!this.#notifications) {
      throw new Error("There is no connection yet.");
    }
    return this.#notifications;
  }

  #apply(page: Document): void {
    applyUnread(page);
    if (this.#inbox?.newest) {
      this.#feed.advance(sequenceOf(page)); // The list has everything up to that.
      if (!this.#caughtUp) {
        this.#unread = Number(page.getElementById("unread-count")?.dataset["count"] ?? 0);
      }
    }
    this.#inbox?.apply(page);
    this.#topics?.apply(page);
    this.#orderPage?.apply(page);
    this.#orderList?.apply(page);
    showTimes();
    const connection = this.client.getConnection(orderHub.name);
    if (this.#orderList && connection && this.client.state(orderHub.name) === "connected") {
      void this.#watchList(connection);
    }
  }
}

/** The sequence up to which a page that the server has rendered shows everything. */
function sequenceOf(page: Document): number {
  return Number(page.body.dataset["sequence"] ?? 0);
}
