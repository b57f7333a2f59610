// The page of a task. The form works without this; with it votes are sent in the background, kept when they cannot be, and
// cast with single keys.

import { listen } from "./keys.js";
import { ask, forget, keep, kept, NotSent, send, sendAll } from "./outbox.js";

const AGAIN_MS = 3_000;
const at = (id) => document.getElementById(id);
const form = at("vote");
const { project } = document.body.dataset;
let seen = 0;
let since = document.visibilityState === "visible" ? performance.now() : null;
let timer = null;

const say = (text) => { at("status").textContent = text; };
const state = () => document.body.dataset.state ?? "open";
const go = (page = location.pathname) => location.replace(page);

function setState(name) {
  document.body.dataset.state = name;
  for (const button of form.querySelectorAll(".bar button[name]")) button.setAttribute("aria-disabled", String(name !== "open"));
}

/** An error of the server, in its own words. */
function showProblem(problem) {
  const box = document.createElement("div");
  box.className = "callout critical";
  const lines = [problem.message, problem.error?.wanted && `Wanted: ${problem.error.wanted}.`, problem.error?.fix && `What to do: ${problem.error.fix}.`];
  for (const line of lines.filter(Boolean)) {
    const paragraph = document.createElement("p");
    paragraph.textContent = line;
    box.append(paragraph);
  }
  at("problem").replaceChildren(box);
}

/** Seconds that the page was in sight. */
function seconds() {
  return (seen + (since === null ? 0 : performance.now() - since)) / 1000;
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") since = performance.now();
  else {
    seen = seconds() * 1000;
    since = null;
  }
});

function bodyOf(submitter) {
  form.elements.seconds.value = seconds().toFixed(3);
  const fields = new URLSearchParams(new FormData(form, submitter));
  // The token is of this session; a vote that is kept may be sent in the next one.
  fields.delete("csrf");
  return fields.toString();
}

async function vote(submitter) {
  at("problem").replaceChildren();
  const [id, body] = [form.elements.id.value, bodyOf(submitter)];
  setState("sending");
  keep(id, body);
  try {
    await send(id, body);
    go();
  } catch (problem) {
    notSent(problem);
  }
}

function notSent(problem) {
  if (!(problem instanceof NotSent)) throw problem;
  if (problem.reason === "refused") {
    setState("open");
    say("");
    showProblem(problem);
    return;
  }
  setState("kept");
  at("undo-button").hidden = false;
  const count = kept().length;
  const what = count === 1 ? "Your vote is kept in this browser" : `${count} votes are kept in this browser`;
  if (problem.reason === "signed-out") {
    say(`${what}. Open your access link again, and they will be sent.`);
    return;
  }
  say(`${problem.message} ${what} and will be sent when the connection returns. Undo takes it back.`);
  clearTimeout(timer);
  timer = setTimeout(again, AGAIN_MS);
}

async function again() {
  clearTimeout(timer);
  if (kept().length === 0) return;
  try {
    await sendAll();
    go();
  } catch (problem) {
    notSent(problem);
  }
}

async function undo() {
  const id = form.elements.id.value;
  if (state() === "kept" && kept().some(([each]) => each === id)) {
    clearTimeout(timer);
    forget(id);
    setState("open");
    say("Taken back. Vote again.");
    return;
  }
  if (state() !== "open") return;
  setState("sending");
  try {
    go((await ask(`/p/${project}/undo`, "")).page);
  } catch (problem) {
    setState("open");
    say(problem.reason === "offline" ? "No connection: undo needs it." : problem.message);
  }
}

/** What the browser's own check would say, where it stands; the first lacking answer gets the focus. */
function lacking() {
  const invalid = [...form.querySelectorAll(":invalid")].filter((each) => each.matches("input, textarea"));
  for (const group of form.querySelectorAll(".question")) group.classList.toggle("lacking", invalid.some((each) => group.contains(each)));
  if (invalid.length === 0) return false;
  // The choices come first, wherever the reason stands.
  const first = invalid.find((each) => each.matches("input")) ?? invalid[0];
  say(first.matches("textarea") ? "Please say why." : "Something is not answered yet.");
  first.focus();
  return true;
}

form.noValidate = true;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (state() !== "open") return;
  if (event.submitter?.name !== "skip" && lacking()) return;
  vote(event.submitter);
});
at("undo").addEventListener("submit", (event) => {
  event.preventDefault();
  undo();
});
addEventListener("online", again);
// A page that comes back from the browser's memory is an old one: its task may be done.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

/** Ranking: the order so far, in words. */
function showOrder() {
  const order = at("order");
  if (!order) return;
  const ranked = [...form.querySelectorAll("input[name^='rank:']:checked")]
    .map((input) => [Number(input.value), input.name.slice(5)]).sort((one, two) => one[0] - two[0] || one[1] - two[1]);
  order.textContent = ranked.map(([rank, place], i) => (i === 0 ? "" : rank === ranked[i - 1][0] ? " = " : " > ") + place).join("");
}

form.addEventListener("change", showOrder);
showOrder();
listen();
if (kept().length > 0) {
  setState("sending");
  say("Sending what was kept …");
  again();
}
