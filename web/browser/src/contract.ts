// What the hubs and their clients say to each other.

/** A hub: where it is, and the name under which SignalRClient knows its connection. */
export interface Hub {
  readonly url: string;
  readonly name: string;
}

export const notificationHub: Hub = { url: "/hubs/notifications", name: "notifications" };
export const orderHub: Hub = { url: "/hubs/orders", name: "orders" };

export type NotificationType = "Info" | "Success" | "Warning" | "Error" | "OrderUpdate";

/** The argument of ReceiveNotification. */
export interface Notification {
  readonly id: string;
  /** Numbers the user's notifications without a hole. */
  readonly sequence: number;
  readonly title: string;
  readonly message: string;
  readonly type: NotificationType;
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly topic?: string | null;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** The result of CatchUp. */
export interface CatchUpResult {
  /** Oldest first. */
  readonly notifications: readonly Notification[];
  /** The ids of those among them that have been read. */
  readonly read: readonly string[];
  /** Some that came before these are gone. */
  readonly gap: boolean;
  readonly firstSequence: number;
  readonly fetchUrl: string;
  /** Where the client stands with this, and whether there is more after it. */
  readonly lastSequence: number;
  readonly more: boolean;
  readonly unreadCount: number;
}

/** The argument of OrderChanged and the result of SubscribeToOrder. */
export interface OrderSnapshot {
  readonly id: string;
  readonly status: string;
  /** In percent. */
  readonly progress: number;
  readonly message: string;
  /** One higher after each change. */
  readonly version: number;
  /** RFC 3339. */
  readonly updatedAt: string;
}

/** The page of the order that a notification is about, if it is about one. */
export function orderPageOf(n: Notification): string | undefined {
  const id = n.data?.["orderId"];
  return typeof id === "string" && id !== "" ? `/orders/${encodeURIComponent(id)}` : undefined;
}
