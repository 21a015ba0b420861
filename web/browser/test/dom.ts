import { JSDOM } from "jsdom";

/** Makes html the page that the browser's globals are about. */
export function openPage(html: string, url = "http://signalbox.test/"): void {
  const { window } = new JSDOM(html, { url, pretendToBeVisual: true });
  const names = [
    "window", "document", "HTMLElement", "HTMLTemplateElement", "HTMLFormElement", "HTMLDialogElement", "DOMParser",
  ] as const;
  for (const name of names) {
    Object.defineProperty(globalThis, name, { value: window[name], configurable: true, writable: true });
  }
  // jsdom knows the element and not what it does.
  window.HTMLDialogElement.prototype.showModal = function () {
    this.setAttribute("open", "");
  };
  window.HTMLDialogElement.prototype.close = function () {
    this.removeAttribute("open");
    this.dispatchEvent(new window.Event("close"));
  };
}

/** The element with that id, which there must be. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) {
    throw new Error(`no element ${id}`);
  }
  return element;
}

/** Lets everything happen that only waits for promises. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
