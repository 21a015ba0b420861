import { orderPageOf, type Notification } from "./contract.ts";
import { announce, fromTemplate, setIcon, setText } from "./page.ts";
import { reconcile } from "./reconcile.ts";
import { Shortener } from "./shorten.ts";
import { setTime } from "./times.ts";

/** What the list of notifications needs of the rest of the page. */
export interface InboxOptions {
  /** Marks a notification as read at the server; fails when there is no connection. */
  markAsRead(id: string): Promise<void>;
  /** Brings the page up to date from the server. */
  refresh(): void;
}

/** Inbox keeps the list of the notifications page. */
export class Inbox {
  readonly #shortener: Shortener;

  constructor(
    private readonly list: HTMLElement,
    private readonly options: InboxOptions,
  ) {
    this.#shortener = new Shortener(list, ".notification-message");
    list.addEventListener("submit", (event) => void this.#submitted(event));
  }

  /** Whether the newest notifications are shown, not a page of older ones. */
  get newest(): boolean {
    return this.list.dataset["before"] === "0";
  }

  /** Adds a notification on top, unless it is shown already. Returns whether it is shown now. */
  receive(n: Notification): boolean {
    if (!this.newest) {
      return false;
    }
    if (this.#item(n.id)) {
      return true;
    }
    const item = this.#make(n);
    if (!item) {
      return false;
    }
    const older = this.#items().find((other) => sequenceOf(other) < n.sequence);
    this.list.insertBefore(item, older ?? null);
    this.#shortener.update();
    announce(`New notification: ${n.title}`);
    const below = older ? sequenceOf(older) : 0;
    if (below !== n.sequence - 1) {
      this.options.refresh(); // Something between the two has not arrived.
    }
    return true;
  }

  /** Shows a notification as read. */
  markRead(id: string): void {
    const item = this.#item(id);
    if (item) {
      delete item.dataset["unread"];
      item.querySelector(".read-form")?.remove();
    }
  }

  /** Compares the list with the number of unread notifications: with fewer than are shown as unread it is out of date. */
  unreadCount(count: number): void {
    if (this.#items().filter((item) => item.dataset["unread"] !== undefined).length > count) {
      this.options.refresh();
    }
  }

  /** Takes over the list of a page that the server has rendered anew. */
  apply(page: Document): void {
    const fetched = page.getElementById(this.list.id);
    if (fetched) {
      reconcile(this.list, fetched, (item) => item.dataset["id"], sameReadState);
      this.#shortener.update();
    }
    const pager = document.getElementById("pager");
    const fetchedPager = page.getElementById("pager");
    if (pager && fetchedPager && pager.innerHTML !== fetchedPager.innerHTML) {
      pager.replaceChildren(...[...fetchedPager.childNodes].map((node) => document.importNode(node, true)));
    }
  }

  /** Marks as read without loading the page; without a connection the form goes the ordinary way. */
  async #submitted(event: SubmitEvent): Promise<void> {
    const form = event.target;
    const id = form instanceof HTMLFormElement ? form.closest<HTMLElement>("[data-id]")?.dataset["id"] : undefined;
    if (!(form instanceof HTMLFormElement) || id === undefined) {
      return;
    }
    event.preventDefault();
    try {
      await this.options.markAsRead(id);
    } catch {
      form.submit();
      return;
    }
    const next = this.#buttonAfter(form);
    const hadFocus = form.contains(document.activeElement);
    this.markRead(id);
    if (hadFocus) {
      next?.focus({ preventScroll: true }); // The button that was pressed is gone; keys would start from the top again.
    }
  }

  #buttonAfter(form: HTMLFormElement): HTMLElement | undefined {
    const buttons = [...this.list.querySelectorAll<HTMLElement>(".read-form button")];
    const own = buttons.findIndex((button) => form.contains(button));
    return buttons[own + 1] ?? buttons[own - 1];
  }

  #items(): HTMLElement[] {
    return [...this.list.querySelectorAll<HTMLElement>(":scope > [data-id]")];
  }

  #item(id: string): HTMLElement | undefined {
    return this.#items().find((item) => item.dataset["id"] === id);
  }

  #make(n: Notification): HTMLElement | undefined {
    const item = fromTemplate("notification-template");
    if (!item) {
      return undefined;
    }
    item.id = `notification-${n.id}`;
    item.dataset["id"] = n.id;
    item.dataset["sequence"] = String(n.sequence);
    item.dataset["type"] = n.type;
    item.classList.add("fresh");
    setIcon(item, ".type-icon", n.type);
    setText(item, ".notification-type", n.type);
    setText(item, ".notification-message", n.message);
    setText(item, ".notification-topic", n.topic ?? "");
    setTime(item.querySelector("time"), n.createdAt);
    const heading = item.querySelector("h2");
    const link = orderPageOf(n);
    if (link === undefined) {
      heading?.replaceChildren(n.title);
    } else {
      const anchor = document.createElement("a");
      anchor.href = link;
      anchor.textContent = n.title;
      heading?.replaceChildren(anchor);
    }
    item.querySelector("form")?.setAttribute("action", `/notifications/${encodeURIComponent(n.id)}/read`);
    const button = item.querySelector("button");
    button?.setAttribute("id", `read-${n.id}`);
    button?.setAttribute("aria-label", `Mark as read: ${n.title}`);
    return item;
  }
}

function sequenceOf(item: HTMLElement): number {
  return Number(item.dataset["sequence"]);
}

function sameReadState(shown: HTMLElement, fetched: HTMLElement): boolean {
  return (shown.dataset["unread"] === undefined) === (fetched.dataset["unread"] === undefined);
}
