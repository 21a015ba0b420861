/** How long ids are collected before they are told, in milliseconds. */
const pause = 1000;
/** How many are told at a time. */
const most = 500;

/** Receipts tells the server which notifications have arrived, many at a time. Nothing depends on its being told. */
export class Receipts {
  #ids: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** confirm tells the server; it fails when there is no connection. */
  constructor(private readonly confirm: (ids: string[]) => Promise<void>) {}

  add(id: string): void {
    this.#ids.push(id);
    this.#timer ??= setTimeout(() => void this.#tell(), pause);
  }

  async #tell(): Promise<void> {
    this.#timer = undefined;
    const ids = this.#ids.splice(0, most);
    try {
      await this.confirm(ids);
    } catch {
      this.#ids.unshift(...ids); // Along with the next one that arrives.
      return;
    }
    if (this.#ids.length > 0) {
      this.#timer ??= setTimeout(() => void this.#tell(), pause);
    }
  }
}
