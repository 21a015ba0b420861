import { reconcile } from "./reconcile.ts";

/** Where the tabs of a browser tell each other that the user hears other topics now. */
const channelName = "signalbox-topics";
/** The key in the tab's storage that says that this tab has changed them and is being loaded again. */
const changedKey = "signalbox-topics-changed";

/** Topics keeps the list of topics the same in all tabs. It is changed by forms, after which the page is loaded again. */
export class Topics {
  /** refresh brings the page up to date from the server. */
  constructor(
    private readonly root: HTMLElement,
    refresh: () => void,
  ) {
    const channel = new BroadcastChannel(channelName);
    channel.addEventListener("message", refresh);
    root.addEventListener("submit", () => sessionStorage.setItem(changedKey, "1"));
    if (sessionStorage.getItem(changedKey) !== null) {
      sessionStorage.removeItem(changedKey);
      channel.postMessage(null); // This page was made after the change: so will be what the others ask for.
    }
  }

  /** Takes over the list of a page that the server has rendered anew. */
  apply(page: Document): void {
    const list = this.root.querySelector("ul");
    const fetched = page.querySelector(`#${this.root.id} ul`);
    if (list && fetched) {
      reconcile(list, fetched, (item) => item.dataset["topic"], sameChoice);
    }
  }
}

function sameChoice(shown: HTMLElement, fetched: HTMLElement): boolean {
  return (shown.dataset["subscribed"] === undefined) === (fetched.dataset["subscribed"] === undefined);
}
