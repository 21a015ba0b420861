/**
 * Makes the items of list those of fetched, which the server has rendered anew. Items are the same if key says so; keep
 * decides whether the one that is shown stays, so that what has not changed is not touched and focus is not lost.
 */
export function reconcile(
  list: Element,
  fetched: Element,
  key: (item: HTMLElement) => string | undefined,
  keep: (shown: HTMLElement, fetched: HTMLElement) => boolean,
): void {
  const shown = new Map<string | undefined, HTMLElement>();
  for (const item of itemsOf(list)) {
    shown.set(key(item), item);
  }
  const items = itemsOf(fetched).map((item) => {
    const old = shown.get(key(item));
    return old && keep(old, item) ? old : list.ownerDocument.importNode(item, true);
  });
  const before = itemsOf(list);
  if (items.length === before.length && items.every((item, i) => item === before[i])) {
    return;
  }
  const focused = list.ownerDocument.activeElement;
  list.replaceChildren(...items);
  if (focused instanceof HTMLElement && list.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

function itemsOf(list: Element): HTMLElement[] {
  return [...list.children].filter((child) => child instanceof HTMLElement);
}
