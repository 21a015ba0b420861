import type { HubConnection } from "@microsoft/signalr";

type Handler = (...args: never[]) => unknown;

/** A hub connection without a network: the test is the server. */
export class FakeConnection {
  /** What happened, in order: "start", "stop", "on NAME", "invoke NAME ARGUMENTS". */
  readonly log: string[] = [];
  /** Whether the server can be reached. */
  reachable = true;
  /** Whether the server lets the client in. */
  authorized = true;
  /** What the server answers to an invocation; throwing refuses it. */
  answer: (method: string, ...args: unknown[]) => unknown = () => undefined;
  up = false;

  readonly #handlers = new Map<string, Handler[]>();
  readonly #onclose: ((error?: Error) => void)[] = [];

  get hub(): HubConnection {
    return this as unknown as HubConnection;
  }

  get starts(): number {
    return this.log.filter((entry) => entry === "start").length;
  }

  async start(): Promise<void> {
    this.log.push("start");
    await Promise.resolve();
    if (!this.reachable) {
      throw new Error("cannot reach the server");
    }
    if (!this.authorized) {
      throw new Error("Failed to complete negotiation with the server: Error: : Status code '401'");
    }
    this.up = true;
  }

  async stop(): Promise<void> {
    this.log.push("stop");
    await Promise.resolve();
    this.#close();
  }

  on(method: string, handler: Handler): void {
    this.log.push(`on ${method}`);
    this.#handlers.set(method, [...(this.#handlers.get(method) ?? []), handler]);
  }

  onclose(handler: (error?: Error) => void): void {
    this.#onclose.push(handler);
  }

  async invoke(method: string, ...args: unknown[]): Promise<unknown> {
    this.log.push(["invoke", method, ...args].join(" "));
    await Promise.resolve();
    if (!this.up) {
      throw new Error("not connected");
    }
    return this.answer(method, ...args);
  }

  /** The server invokes a client method. */
  emit(method: string, ...args: unknown[]): void {
    for (const handler of this.#handlers.get(method) ?? []) {
      handler(...(args as never[]));
    }
  }

  /** The connection is lost. */
  drop(): void {
    this.#close(new Error("connection lost"));
  }

  #close(error?: Error): void {
    if (!this.up) {
      return;
    }
    this.up = false;
    for (const handler of this.#onclose) {
      handler(error);
    }
  }
}
