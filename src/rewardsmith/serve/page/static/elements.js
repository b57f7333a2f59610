// Elements and texts: every text goes in as a text node, so a hostile answer or model name stays a text. The server forbids
// anything else by its content security policy.

export const at = (id) => document.getElementById(id);

/** An element with attributes and children; strings become text nodes. `null` and `false` are left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A list of names and values, without those that have no value. */
export function facts(pairs, className) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: className }, ...known.map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

export function callout(tone, badge, title, ...children) {
  return el("div", { class: `callout ${tone}`, role: "note" },
    el("strong", {}, el("span", { class: "badge" }, badge), ` ${title}`), ...children);
}

export function table(caption, head, rows, className) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", { class: className },
      el("caption", {}, caption),
      el("thead", {}, el("tr", {}, ...head.map((name) => el("th", { scope: "col", class: name && "number" }, name)))),
      el("tbody", {}, ...rows)));
}

const MINUS = "−";
export const number = (value, digits = 3) =>
  value === null || value === undefined ? "no number" : value.toFixed(digits).replace("-", MINUS);
export const signed = (value) => (value >= 0 ? `+${number(value)}` : number(value));
export const count = (n, one) => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;

/** A probability in percent; nothing is called certain. */
export function percent(probability) {
  if (probability > 0.995) return ">99%";
  return probability < 0.005 ? "<1%" : `${Math.round(100 * probability)}%`;
}

/** A, B, …, Z, AA, AB, … */
export function letter(place) {
  const last = String.fromCharCode(65 + (place % 26));
  return place < 26 ? last : letter(Math.floor(place / 26) - 1) + last;
}
