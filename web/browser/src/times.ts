const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** How long ago something was, in words; what is a week old has a date. */
export function ago(then: Date, now: Date): string {
  const age = now.getTime() - then.getTime();
  if (age < 45_000) {
    return "just now"; // Also what seems to come from the future: the two clocks differ.
  }
  if (age < hour) {
    return relative.format(-Math.max(1, Math.round(age / minute)), "minute");
  }
  if (age < day) {
    return relative.format(-Math.round(age / hour), "hour");
  }
  if (age < 7 * day) {
    return relative.format(-Math.round(age / day), "day");
  }
  return then.toLocaleDateString(undefined, { dateStyle: "medium" });
}

/** How old something is, in words, exact to the second at first. */
export function ageInWords(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [count, unit] =
    seconds < 60 ? [seconds, "second"]
    : seconds < 3600 ? [Math.floor(seconds / 60), "minute"]
    : [Math.floor(seconds / 3600), "hour"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** Has a time element tell that point in time. */
export function setTime(element: Element | null, datetime: string): void {
  if (element && element.getAttribute("datetime") !== datetime) {
    element.setAttribute("datetime", datetime);
    showTime(element, new Date());
  }
}

function showTime(element: Element, now: Date): void {
  const then = new Date(element.getAttribute("datetime") ?? "");
  if (Number.isNaN(then.getTime())) {
    return;
  }
  const text = ago(then, now);
  if (element.textContent !== text) {
    element.textContent = text;
    element.setAttribute("title", then.toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" }));
  }
}

/** Has all time elements of the page tell how long ago it was, in the reader's own time. */
export function showTimes(now = new Date()): void {
  for (const element of document.querySelectorAll("time")) {
    showTime(element, now);
  }
}
