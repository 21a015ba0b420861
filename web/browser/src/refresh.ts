/** What a Refresher works with. */
export interface RefresherOptions {
  /** The address to ask. */
  url(): string;
  fetch(url: string, init: RequestInit): Promise<Response>;
  parse(html: string): Document;
  /** Takes over what a newer version of the page shows. */
  apply(page: Document): void;
  /** The server has said that what is shown is true, whether it had changed or not. */
  confirmed(): void;
  /** The page is no longer the user's to see, or no longer there: load it again and let the server say so. */
  leave(): void;
}

/** How long an answer may take, in milliseconds. */
const timeout = 15_000;

/** How many answers in a row may be thrown away because something came live meanwhile. */
const mostStale = 5;

/**
 * Refresher asks for the page that is shown and takes over what has changed. The request is conditional: the browser
 * has kept the page with its entity tag, sends that along, and an unchanged page costs a few bytes.
 */
export class Refresher {
  #running: Promise<void> | undefined;
  #again = false;
  #outrun = false;
  #left = false;
  #tag: string | null = null;

  constructor(private readonly options: RefresherOptions) {}

  /** Brings the page up to date. Asked for while it is being done, it is done once more afterwards. */
  refresh(): Promise<void> {
    if (this.#left) {
      return Promise.resolve(); // Loading it again once more would only begin anew.
    }
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  /**
   * Tells that something on the page has changed by other means. An answer that is on its way may have been made before
   * that, and would take it back: it is not taken over, and the page is asked for once more.
   */
  changed(): void {
    this.#outrun = this.#running !== undefined;
    this.#tag = null; // What is shown is no longer the version with that tag.
  }

  async #run(): Promise<void> {
    let stale = 0;
    do {
      this.#again = false;
      this.#outrun = false;
      // On a page that changes all the time every answer is out of date; then one is better than none.
      if (!(await this.#once(stale < mostStale))) {
        this.#again = true;
        stale++;
      }
    } while (this.#again && !this.#left);
  }

  /** Asks once and takes over the answer. Returns false if it was thrown away, being older than what is shown. */
  async #once(mayWait: boolean): Promise<boolean> {
    const { options } = this;
    let page: Document | undefined;
    try {
      const response = await options.fetch(options.url(), {
        cache: "no-cache",
        headers: { Accept: "text/html" },
        signal: AbortSignal.timeout(timeout),
      });
      if (response.redirected || response.status === 404) {
        // A browser lets the next request for an address wait, for long, while an answer for it is not read to its end.
        await response.body?.cancel();
        this.#left = true;
        options.leave();
        return true;
      }
      if (!response.ok) {
        return true; // The server is not well; what is shown is no worse than before.
      }
      const tag = response.headers.get("ETag");
      if (tag === null || tag !== this.#tag) {
        page = options.parse(await response.text());
      }
      if (page && this.#outrun && mayWait) {
        return false;
      }
      this.#tag = tag;
    } catch {
      return true; // There is no way to the server. The page says so already, and its age grows.
    }
    if (page) {
      options.apply(page);
    }
    options.confirmed();
    return true;
  }
}
