import type { OrderSnapshot } from "./contract.ts";
import { readOrder, writeOrder } from "./order-state.ts";
import { setText } from "./page.ts";
import { reconcile } from "./reconcile.ts";
import { setTime } from "./times.ts";

/** The states that nothing is expected to follow. */
const final = new Set(["Completed", "Cancelled", "Failed"]);
/** How many orders are watched at most. */
const most = 50;

/** OrderList keeps the page of all orders. */
export class OrderList {
  constructor(private readonly list: HTMLElement) {}

  /** The orders that may still move, those changed last first. */
  openOrders(): string[] {
    const orders = this.#cards().map(readOrder);
    return orders
      .filter((order) => !final.has(order.status))
      .slice(0, most)
      .map((order) => order.id);
  }

  /** Whether the order is on the page. */
  has(orderId: string): boolean {
    return this.#card(orderId) !== undefined;
  }

  /** Shows an order as it now is. What is not newer than what is shown changes nothing. */
  show(order: OrderSnapshot): void {
    const card = this.#card(order.id);
    if (!card || order.version <= readOrder(card).version) {
      return;
    }
    writeOrder(card, order);
    const percent = `${order.progress}%`;
    const meter = card.querySelector<HTMLElement>(".meter");
    const bar = card.querySelector<HTMLElement>(".meter-bar");
    setText(card, ".badge", order.status);
    setText(card, ".order-card-message", order.message);
    setText(card, ".order-card-percent", percent);
    card.querySelector(".badge")?.setAttribute("data-status", order.status);
    meter?.setAttribute("data-status", order.status);
    meter?.setAttribute("aria-valuenow", String(order.progress));
    if (bar) {
      bar.style.width = percent;
    }
    setTime(card.querySelector("time"), order.updatedAt);
    this.#count();
  }

  /** Takes over a page that the server has rendered anew. */
  apply(page: Document): void {
    const fetched = page.getElementById(this.list.id);
    if (fetched) {
      reconcile(
        this.list,
        fetched,
        (card) => card.dataset["orderId"],
        (shown, card) => readOrder(shown).version >= readOrder(card).version,
      );
    }
    this.#count();
  }

  #count(): void {
    const cards = this.#cards();
    const open = cards.filter((card) => !final.has(readOrder(card).status));
    setText(document, "#open-orders", String(open.length));
    setText(document, "#all-orders", String(cards.length));
  }

  #cards(): HTMLElement[] {
    return [...this.list.querySelectorAll<HTMLElement>(":scope > [data-order-id]")];
  }

  #card(orderId: string): HTMLElement | undefined {
    return this.#cards().find((card) => card.dataset["orderId"] === orderId);
  }
}
