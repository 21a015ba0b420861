import { JSDOM } from "jsdom";

/** The tabs of one browser talk to each other; node's own would keep the process alive. */
export class FakeChannel extends EventTarget {
  static open: FakeChannel[] = [];
  constructor(readonly name: string) {
    super();
    FakeChannel.open.push(this);
  }
  postMessage(data: unknown): void {
    for (const other of FakeChannel.open) {
      if (other !== this && other.name === this.name) {
        other.dispatchEvent(new MessageEvent("message", { data }));
      }
    }
  }
}

/** Tells of no change of size by itself; the page is never laid out. */
class NoResizeObserver {
  observe(): void {}
}

/** Makes html the page that the browser's globals are about. */
export function openPage(html: string, url = "http://signalbox.test/"): void {
  const { window } = new JSDOM(html, { url, pretendToBeVisual: true });
  const names = [
    "window", "document", "HTMLElement", "HTMLTemplateElement", "HTMLFormElement", "HTMLDialogElement", "DOMParser",
    "sessionStorage",
  ] as const;
  for (const name of names) {
    Object.defineProperty(globalThis, name, { value: window[name], configurable: true, writable: true });
  }
  FakeChannel.open = [];
  Object.assign(globalThis, { BroadcastChannel: FakeChannel, ResizeObserver: NoResizeObserver });
  window.matchMedia = () => ({ matches: false }) as MediaQueryList;
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
