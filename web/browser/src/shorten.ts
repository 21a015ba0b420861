/**
 * Shortens long texts to a few lines, each with a button that shows the rest. Without this script they are shown whole.
 * The style sheet says how many lines that are.
 */
export class Shortener {
  readonly #observer: ResizeObserver;

  /** text selects the texts among the descendants of list. */
  constructor(
    private readonly list: HTMLElement,
    private readonly text: string,
  ) {
    list.classList.add("shortened");
    this.#observer = new ResizeObserver(() => this.update());
    this.#observer.observe(list);
  }

  /** Gives the texts that do not fit their buttons, and takes away the buttons of those that do. */
  update(): void {
    for (const text of this.list.querySelectorAll<HTMLElement>(this.text)) {
      const button = text.nextElementSibling?.classList.contains("more") ? text.nextElementSibling : undefined;
      const cut = text.scrollHeight > text.clientHeight + 1; // Heights are rounded.
      if (cut && !button) {
        text.after(newButton(text));
      } else if (!cut && button?.getAttribute("aria-expanded") === "false") {
        button.remove();
      }
    }
  }
}

function newButton(text: HTMLElement): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "more";
  const show = (whole: boolean) => {
    text.classList.toggle("whole", whole);
    button.setAttribute("aria-expanded", String(whole));
    button.textContent = whole ? "Show less" : "Show more";
  };
  button.addEventListener("click", () => show(button.getAttribute("aria-expanded") === "false"));
  show(false);
  return button;
}
