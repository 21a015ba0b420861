import type { CatchUpResult, Notification } from "./contract.ts";

/** What a Feed works with. */
export interface FeedOptions {
  /** Asks the server for what came after a sequence; fails when there is no connection. */
  catchUp(lastSequence: number): Promise<CatchUpResult>;
  /** Shows a notification. Each comes once, in order. */
  show(n: Notification, read: boolean): void;
}

/** How often the server is asked for what it should have and does not tell of. */
const maxTries = 3;

/** What catching up came to. */
export interface CaughtUp {
  /** How many notifications it brought that are unread. */
  readonly brought: number;
  /** Some are gone that would have come in between. */
  readonly gap: boolean;
  /** The number of unread notifications at that moment. */
  readonly unreadCount: number;
}

/**
 * Feed brings a user's notifications in the order of their sequence, without a hole and each once, from what comes live
 * and what the server has kept. What comes live while there is something to catch up with waits until that is done.
 */
export class Feed {
  #last: number;
  #waiting: Notification[] = [];
  #catching = true;

  /** last is the sequence up to which the page shows everything. */
  constructor(
    last: number,
    private readonly options: FeedOptions,
  ) {
    this.#last = last;
  }

  /** Takes a notification that came live. */
  receive(n: Notification): void {
    if (n.sequence <= 0) {
      this.options.show(n, false); // It was sent to a group and is in nobody's inbox.
    } else if (this.#catching) {
      this.#waiting.push(n);
    } else if (n.sequence === this.#last + 1) {
      this.#take(n, false);
    } else if (n.sequence > this.#last) {
      this.#waiting.push(n);
      // What is between has been lost. If the connection is too, the next one catches up.
      this.catchUp().catch(() => {});
    }
  }

  /** The connection is lost: what comes on the next one waits for catchUp. */
  disconnected(): void {
    this.#catching = true;
  }

  /** The page now shows everything up to that sequence, by other means. */
  advance(sequence: number): void {
    this.#last = Math.max(this.#last, sequence);
  }

  /** Asks for what was missed and shows it, and then what came live meanwhile. */
  async catchUp(): Promise<CaughtUp> {
    this.#catching = true;
    let brought = 0;
    let gap = false;
    let answer: CatchUpResult;
    let tries = 0;
    do {
      answer = await this.options.catchUp(this.#last);
      gap ||= answer.gap;
      const read = new Set(answer.read);
      for (const n of answer.notifications) {
        if (n.sequence > this.#last) {
          this.#take(n, read.has(n.id));
          brought += read.has(n.id) ? 0 : 1;
        }
      }
      // Also when that is lower: a server whose data is from a backup counts on from there.
      this.#last = gap ? answer.lastSequence : Math.max(this.#last, answer.lastSequence);
      // Something may have been lost behind the answer, and what came after it be waiting.
    } while (answer.more || (this.#skips() && ++tries < maxTries));
    this.#catching = false;
    for (const n of this.#waiting.splice(0).sort((a, b) => a.sequence - b.sequence)) {
      if (n.sequence > this.#last) {
        this.#take(n, false);
      }
    }
    return { brought, gap, unreadCount: answer.unreadCount };
  }

  /** Whether there is a hole between what is shown and the first that waits. */
  #skips(): boolean {
    const ahead = this.#waiting.map((n) => n.sequence).filter((sequence) => sequence > this.#last);
    return ahead.length > 0 && Math.min(...ahead) > this.#last + 1;
  }

  #take(n: Notification, read: boolean): void {
    this.#last = n.sequence;
    this.options.show(n, read);
  }
}
