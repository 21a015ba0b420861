import type { OrderSnapshot } from "./contract.ts";
import type { HubState } from "./hub-link.ts";
import { readOrder, writeOrder } from "./order-state.ts";
import { fromTemplate, setText } from "./page.ts";
import { ageInWords, setTime } from "./times.ts";

const completed = "Completed";

const stateWords: Record<HubState, string> = {
  connecting: "Connecting…",
  connected: "Live",
  reconnecting: "Reconnecting…",
  disconnected: "Disconnected",
};

/** OrderPage keeps the page of one order. */
export class OrderPage {
  #confirmedAt = Date.now();
  #state: HubState = "connecting";

  /** refresh brings the page up to date from the server. */
  constructor(
    private readonly root: HTMLElement,
    private readonly refresh: () => void,
  ) {
    const dialog = document.getElementById("completion-modal");
    dialog?.addEventListener("close", () => dialog.classList.add("hidden"));
  }

  get orderId(): string {
    return readOrder(this.root).id;
  }

  /** Shows an order as it now is. What is not newer than what is shown changes nothing. */
  show(order: OrderSnapshot): void {
    const shown = readOrder(this.root);
    if (order.id !== shown.id) {
      return;
    }
    this.confirm();
    if (order.version <= shown.version) {
      return;
    }
    this.#write(order);
    this.#addToTimeline(order);
    if (order.version > shown.version + 1) {
      this.refresh(); // The timeline lacks what was between.
    }
    if (order.status === completed && shown.status !== completed) {
      this.#celebrate();
    }
  }

  /** Takes over a page that the server has rendered anew. */
  apply(page: Document): void {
    const fetched = page.getElementById(this.root.id);
    const timeline = document.getElementById("timeline");
    const fetchedTimeline = page.getElementById("timeline");
    if (!fetched || !timeline || !fetchedTimeline) {
      return;
    }
    const order = readOrder(fetched);
    const shown = readOrder(this.root);
    if (order.version < shown.version) {
      return; // Something newer has arrived while it was on its way.
    }
    timeline.replaceChildren(...[...fetchedTimeline.children].map((entry) => document.importNode(entry, true)));
    if (order.version > shown.version) {
      this.#write(order);
      if (order.status === completed && shown.status !== completed) {
        this.#celebrate();
      }
    }
  }

  /** Notes that what is shown is true now. */
  confirm(): void {
    this.#confirmedAt = Date.now();
    this.showAge();
  }

  /** Shows how the connection is. */
  connection(state: HubState): void {
    if (this.#state === "connected" && state !== "connected") {
      this.#confirmedAt = Date.now(); // Until now the server would have told of any change.
    }
    this.#state = state;
    const element = document.getElementById("connection-state");
    if (element) {
      element.dataset["state"] = state;
    }
    setText(document, "#connection-text", stateWords[state]);
    this.showAge();
  }

  /** Shows how old the data is. */
  showAge(): void {
    const age = ageInWords(Date.now() - this.#confirmedAt);
    setText(document, "#data-age", this.#state === "connected" ? "Up to date" : `${age} old`);
  }

  #write(order: OrderSnapshot): void {
    writeOrder(this.root, order);
    const percent = `${order.progress}%`;
    setText(document, "#status-badge", order.status);
    setText(document, "#status-message", order.message);
    for (const selector of ["#status-badge", "#steps", ".progress"]) {
      this.root.querySelector<HTMLElement>(selector)?.setAttribute("data-status", order.status);
    }
    const bar = document.getElementById("progress-bar");
    if (bar) {
      bar.style.width = percent;
      bar.textContent = percent;
      bar.setAttribute("aria-valuenow", String(order.progress));
    }
    setTime(document.querySelector("#updated-at time"), order.updatedAt);
  }

  /** Adds to the timeline as the server does: only what changes the status or the message is an entry of its own. */
  #addToTimeline(order: OrderSnapshot): void {
    const timeline = document.getElementById("timeline");
    const latest = timeline?.firstElementChild;
    const percent = `${order.progress}%`;
    if (
      latest?.getAttribute("data-status") === order.status &&
      latest.querySelector(".timeline-message")?.textContent === order.message
    ) {
      setText(latest, ".timeline-progress", percent);
      return;
    }
    const entry = fromTemplate("timeline-template");
    if (!timeline || !entry) {
      return;
    }
    entry.classList.add("fresh");
    entry.dataset["status"] = order.status;
    setText(entry, "strong", order.status);
    setText(entry, ".timeline-progress", percent);
    setText(entry, ".timeline-message", order.message);
    setTime(entry.querySelector("time"), order.updatedAt);
    timeline.prepend(entry);
  }

  #celebrate(): void {
    const dialog = document.getElementById("completion-modal");
    if (dialog instanceof HTMLDialogElement && !dialog.open) {
      dialog.classList.remove("hidden");
      dialog.showModal();
    }
  }
}
