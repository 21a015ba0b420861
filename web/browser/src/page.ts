// Small things that all parts of a page use.

/** Makes an element from a template of the page. */
export function fromTemplate(id: string): HTMLElement | undefined {
  const template = document.getElementById(id);
  if (!(template instanceof HTMLTemplateElement)) {
    return undefined;
  }
  const element = template.content.firstElementChild?.cloneNode(true);
  return element instanceof HTMLElement ? element : undefined;
}

/** Sets the text of the first element that selector finds, and touches it only if it is another text. */
export function setText(root: ParentNode, selector: string, text: string): void {
  const element = root.querySelector(selector);
  if (element && element.textContent !== text) {
    element.textContent = text;
  }
}

/** Has an icon's element show the icon of that name. */
export function setIcon(root: ParentNode, selector: string, name: string): void {
  root.querySelector(`${selector} use`)?.setAttribute("href", `${document.body.dataset["icons"] ?? ""}#${name}`);
}

/** Has screen readers say something that others see. */
export function announce(text: string): void {
  const announcer = document.getElementById("announcer");
  if (announcer) {
    announcer.textContent = text;
  }
}
