import { orderPageOf, type Notification } from "./contract.ts";
import { fromTemplate, setIcon, setText } from "./page.ts";

/** How long a toast stays, in milliseconds, unless somebody points at it or is in it. */
const stay = 8000;
/** How many are shown at once, and where there is little room. */
const most = 4;
const mostNarrow = 1;
/** What the style sheets call narrow. */
const narrow = "(max-width: 36rem)";

/** Shows a notification in the corner for a while. */
export function toast(n: Notification): void {
  const container = document.getElementById("toasts");
  const element = fromTemplate("toast-template");
  if (!container || !element) {
    return;
  }
  element.dataset["type"] = n.type;
  setIcon(element, ".type-icon", n.type);
  setText(element, ".toast-title a", n.title);
  setText(element, ".toast-message", n.message);
  element.querySelector(".toast-title a")?.setAttribute("href", orderPageOf(n) ?? "/notifications");

  let timer: ReturnType<typeof setTimeout>;
  const hold = () => clearTimeout(timer);
  const release = () => {
    hold();
    timer = setTimeout(() => element.remove(), stay);
  };
  element.querySelector(".toast-close")?.addEventListener("click", () => element.remove());
  element.addEventListener("pointerenter", hold);
  element.addEventListener("pointerleave", release);
  element.addEventListener("focusin", hold);
  element.addEventListener("focusout", release);
  container.append(element);
  const limit = window.matchMedia(narrow).matches ? mostNarrow : most;
  while (container.children.length > limit) {
    container.firstElementChild?.remove();
  }
  release();
}
