/** Shows the number of unread notifications at the bell. The server alone counts. */
export function setUnread(count: number): void {
  const badge = document.getElementById("unread-count");
  const bell = document.getElementById("bell");
  if (!badge || !bell || badge.dataset["count"] === String(count)) {
    return;
  }
  const rises = count > Number(badge.dataset["count"]);
  badge.dataset["count"] = String(count);
  badge.textContent = count > 99 ? "99+" : String(count);
  badge.hidden = count === 0;
  // The name has the text that is seen in it, for those who speak it.
  bell.setAttribute("aria-label", `Notifications, ${badge.textContent} unread`);
  badge.classList.remove("changed");
  if (rises) {
    void badge.offsetWidth; // Without a layout in between the animation would not start again.
    badge.classList.add("changed");
  }
}

/** Takes over the count of a page that the server has rendered anew. */
export function applyUnread(page: Document): void {
  const count = page.getElementById("unread-count")?.dataset["count"];
  if (count !== undefined) {
    setUnread(Number(count));
  }
}
