import type { HubConnection } from "@microsoft/signalr";

/**
 * How a hub's connection is: connecting for the first time; connected and subscribed; reconnecting after it was lost;
 * disconnected when that has failed as often as there are delays, or when the first start has failed. In each of these
 * it is being tried on, except when connected.
 */
export type HubState = "connecting" | "connected" | "reconnecting" | "disconnected";

/** What a part of a page wants of a connection. */
export interface HubHooks {
  /** Registers handlers. Called once, before the connection starts, so that no message is missed. */
  prepare?(connection: HubConnection): void;
  /**
   * Subscribes. Called after each start, the first and every later one, because the server forgets a lost connection's
   * groups. When it fails the connection is closed and tried again: without its subscription it would look live and
   * not be.
   */
  connected?(connection: HubConnection): Promise<void> | void;
}

/** What a link needs to know. */
export interface LinkOptions {
  readonly name: string;
  /** Milliseconds to wait before each attempt after a loss. */
  delays(): readonly number[];
  /** A number from 0 up to 1. */
  random(): number;
  stateChanged(state: HubState): void;
  /** The server has said that nobody is signed in. The link tries on: somebody may sign in, in another tab. */
  unauthorized(): void;
}

/** A connection that closes sooner than this was none: the next attempt waits longer, not from the beginning again. */
const stableAfter = 5000;

interface Waiter {
  resolve(connection: HubConnection): void;
  reject(reason: Error): void;
}

/**
 * HubLink keeps one hub connected, for ever, until it is stopped. It has a loop of its own instead of the client
 * library's automatic reconnect, which gives up, does not cover the first start, and cannot be told that the network
 * is back.
 */
export class HubLink {
  state: HubState = "connecting";

  readonly #hooks: HubHooks[] = [];
  readonly #waiters: Waiter[] = [];
  #stopped = false;
  #closed: () => void = () => {};
  #wake: () => void = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(
    readonly connection: HubConnection,
    private readonly options: LinkOptions,
  ) {
    connection.onclose(() => this.#closed());
  }

  /** Begins to connect. */
  start(): void {
    this.#running = this.#run();
  }

  /** Adds what another part of the page wants; on a connection that is up it is done at once. */
  add(hooks: HubHooks): void {
    hooks.prepare?.(this.connection);
    this.#hooks.push(hooks);
    if (this.state === "connected") {
      // When that fails the loop sees the connection close, and tries again.
      this.#subscribe(hooks).catch(() => this.connection.stop());
    }
  }

  /** Resolves when the hub is connected; rejects when the link is stopped before. */
  whenConnected(): Promise<HubConnection> {
    if (this.state === "connected") {
      return Promise.resolve(this.connection);
    }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Ends a pause between attempts: there is reason to believe that the next will do. */
  wake(): void {
    this.#wake();
  }

  /** Closes the connection and stops trying. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.connection.stop();
    await this.#running;
    for (const waiter of this.#waiters.splice(0)) {
      waiter.reject(new Error(`The connection to ${this.options.name} was closed before it was made.`));
    }
  }

  async #run(): Promise<void> {
    let failures = 0;
    let wasConnected = false;
    while (!this.#stopped) {
      const closed = new Promise<void>((resolve) => (this.#closed = resolve));
      try {
        await this.connection.start();
        for (const hooks of this.#hooks) {
          await this.#subscribe(hooks);
        }
        const since = Date.now();
        wasConnected = true;
        this.#become("connected");
        await closed;
        if (Date.now() - since >= stableAfter) {
          failures = 0;
        }
      } catch (error) {
        if (isUnauthorized(error)) {
          this.options.unauthorized();
        }
        await this.connection.stop();
      }
      if (this.#stopped) {
        return;
      }
      this.#become(wasConnected && failures < this.options.delays().length ? "reconnecting" : "disconnected");
      await this.#pause(this.#delay(failures++));
    }
  }

  async #subscribe(hooks: HubHooks): Promise<void> {
    try {
      await hooks.connected?.(this.connection);
    } catch (error) {
      // Why a connection cannot be made, or has closed, the client library tells; this it does not know.
      console.warn(`Cannot subscribe at the hub ${this.options.name}:`, error);
      throw error;
    }
  }

  /** The milliseconds to wait after that many failures. Beyond the list pages spread out, lest all come at once. */
  #delay(failures: number): number {
    const delays = this.options.delays();
    const last = delays.at(-1) ?? 30_000;
    return delays[failures] ?? last * (1 + this.options.random() / 2);
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #become(state: HubState): void {
    if (this.state === state) {
      return;
    }
    this.state = state;
    this.options.stateChanged(state);
    if (state === "connected") {
      for (const waiter of this.#waiters.splice(0)) {
        waiter.resolve(this.connection);
      }
    }
  }
}

/** Whether negotiating was answered 401. The client library wraps that answer and keeps of it the text alone. */
function isUnauthorized(error: unknown): boolean {
  return error instanceof Error && error.message.includes("Status code '401'");
}
