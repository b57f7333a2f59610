// Single keys, so that a task needs no mouse. They rest while a text is written, with Ctrl, Alt or Meta, and where the
// reader has turned them off.

const OFF = "rewardsmith:keys-off";
const at = (id) => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const form = at("vote");

const press = (selector) => form.querySelector(selector)?.click();

/** The group of choices that the next key answers: the one that has the focus, or the first without an answer. */
function currentGroup() {
  const groups = all(".question, .steps-of", form);
  return groups.find((group) => group.contains(document.activeElement) && group.querySelector("input"))
    ?? groups.find((group) => !group.querySelector(":checked")) ?? groups.at(-1);
}

function markCurrent() {
  all(".question.current", form).forEach((group) => group.classList.remove("current"));
  if (all(".question", form).length > 1) currentGroup()?.classList.add("current");
}

/** Choose a value in the current group; the focus goes on to the next group without an answer. */
function choose(value) {
  const group = currentGroup();
  const input = group && all("input", group).find((each) => each.value === value);
  if (!input) return false;
  input.click();
  const next = all(".question", form).find((each) => !each.querySelector(":checked"));
  (next?.querySelector("input") ?? input).focus({ preventScroll: Boolean(input.closest(".bar")) });
  return true;
}

/** Ranking: answers from the best on, by their numbers. The one that is pressed gets the next rank. */
function rankNext(place, tied) {
  const ranks = all("input[name^='rank:']:checked", form).map((input) => Number(input.value));
  const last = Math.max(0, ...ranks);
  const rank = tied ? Math.max(1, last) : ranks.length + 1;
  const input = form.querySelector(`input[name="rank:${place}"][value="${rank}"]`);
  if (!input || form.querySelector(`input[name="rank:${place}"]:checked`)) return false;
  input.click();
  return true;
}

/** Take the worst rank back. */
function unrank() {
  const worst = all("input[name^='rank:']:checked", form).sort((one, two) => two.value - one.value)[0];
  if (!worst) return false;
  worst.checked = false;
  worst.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

let tieNext = false;

function ofKind(key) {
  const { kind } = document.body.dataset;
  if (kind === "pair") {
    const value = { 1: "1", 2: "2", t: "tie", "=": "tie" }[key];
    if (!value) return false;
    if (!("instant" in document.body.dataset)) return choose(value);
    press(`button[name="choice"][value="${value}"]`);
    return true;
  }
  if (kind === "ranking") {
    if (key === "Backspace") return unrank();
    if (key === "=" || key === "t") {
      tieNext = true;
      return true;
    }
    const done = /^[1-9]$/.test(key) && rankNext(key, tieNext);
    if (done) tieNext = false;
    return done;
  }
  if (kind === "first_error" && key === "n") return choose("none");
  return /^[0-9]$/.test(key) && choose(key);
}

function toggleGuidelines() {
  const guidelines = at("guidelines");
  if (!guidelines) return false;
  guidelines.open = !guidelines.open;
  guidelines.scrollIntoView({ block: "nearest" });
  return true;
}

const COMMON = {
  s: () => press('button[name="skip"]'),
  u: () => !at("undo-button").hidden && at("undo-button").click(),
  g: toggleGuidelines,
  "?": () => at("help").showModal(),
  Enter: () => press('button[name="send"]'),
};

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || at("help").open) {
    const sends = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (sends && !at("help").open) press('button[name="send"]');
    return;
  }
  const { target } = event;
  if (event.key === "Escape" && target.matches("textarea")) target.blur();
  if (target.matches("textarea, select, input:not([type=radio], [type=checkbox])")) return;
  if (at("keys-on").checked === false && event.key !== "?") return;
  // Enter on a button or a link presses it, and a key that is held down is pressed once.
  if (event.repeat || (event.key === "Enter" && target.matches("button, a, summary"))) return;
  const done = ofKind(event.key) || (event.key in COMMON && COMMON[event.key]() !== false);
  if (done) event.preventDefault();
}

export function listen() {
  const on = at("keys-on");
  on.checked = localStorage.getItem(OFF) === null;
  on.addEventListener("change", () => (on.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")));
  const button = at("help-button");
  button.hidden = false;
  button.addEventListener("click", () => at("help").showModal());
  document.addEventListener("keydown", onKey);
  form.addEventListener("change", markCurrent);
  form.addEventListener("focusin", markCurrent);
  markCurrent();
}
