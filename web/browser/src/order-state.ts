import type { OrderSnapshot } from "./contract.ts";

/** Reads the order that an element shows from its data attributes, where the server and writeOrder put it. */
export function readOrder(element: HTMLElement): OrderSnapshot {
  const data = element.dataset;
  return {
    id: data["orderId"] ?? "",
    status: data["status"] ?? "",
    progress: Number(data["progress"] ?? 0),
    message: data["message"] ?? "",
    version: Number(data["version"] ?? 0),
    updatedAt: data["updatedAt"] ?? "",
  };
}

/** Notes at an element which order it shows. */
export function writeOrder(element: HTMLElement, order: OrderSnapshot): void {
  const data = element.dataset;
  data["status"] = order.status;
  data["progress"] = String(order.progress);
  data["message"] = order.message;
  data["version"] = String(order.version);
  data["updatedAt"] = order.updatedAt;
}
