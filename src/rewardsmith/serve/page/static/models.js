// Which models there are, and what is known about the one that is chosen.

import { at, callout, count, el, facts, number } from "./elements.js";
import { ask, showError } from "./server.js";

const POLL_MS = 3000;

let models = [];
let shown = null;
let poll = null;

export const modelNamed = (name) => models.find((model) => model.id === name);
export const chosenModel = () => modelNamed(at("model").value);

export async function loadModels() {
  try {
    models = (await (await ask("v1/models")).json()).data;
  } catch (problem) {
    at("model").replaceChildren(el("option", {}, "no models known"));
    at("model").disabled = true;
    shown = null;
    showError(at("about"), problem);
    return;
  }
  const before = at("model").value;
  at("model").replaceChildren(...models.map((model) =>
    el("option", { value: model.id }, model.state === "ready" ? model.id : `${model.id} (${model.state})`)));
  at("model").disabled = models.length === 0;
  if (modelNamed(before)) at("model").value = before;
  await showModel();
  clearTimeout(poll);
  if (models.some((model) => model.state === "loading" || model.state === "draining")) poll = setTimeout(loadModels, POLL_MS);
}

export async function showModel() {
  const model = chosenModel();
  // What has not changed is left as it is, so that nothing is read out twice.
  if (model && JSON.stringify(model) === shown) return;
  shown = JSON.stringify(model);
  if (!model) {
    at("about").replaceChildren(callout("warning", "empty", "No model is loaded", el("p", {}, "Start the server with one.")));
    return;
  }
  const temperature = model.temperature;
  at("about").replaceChildren(
    facts([
      ["family", model.family],
      ["state", model.state],
      ["longest text", model.max_tokens && count(model.max_tokens, "token")],
      ["probabilities", temperature ? `calibrated, T = ${number(temperature)}` : "not calibrated"],
      ["arithmetic", model.precision],
      ["weights", model.model_digest?.slice(0, 12)],
    ], "facts"),
    model.model_digest ? standing(model) : unready(model));
  if (model.model_digest) await showCard(model);
}

function unready(model) {
  return callout(model.error ? "critical" : "warning", model.state, `The model is ${model.state}`, el("p", {}, model.error));
}

const STANDINGS = {
  passed: ["good", "✓ passed", "This model passed its gate"],
  failed: ["critical", "✕ failed", "This model failed its gate: do not rely on its rewards"],
  "not-enough-evidence": ["warning", "? not shown", "The evidence does not suffice for this model's gate"],
};

function standing(model) {
  const gate = model.gate ?? {};
  const unknown = ["warning", "? ungated", "No gate verdict vouches for this model"];
  const [tone, badge, title] = STANDINGS[gate.status] ?? unknown;
  return callout(tone, badge, title, el("p", { id: "card" }, gate.policy ? `Policy: ${gate.policy}.` : ""));
}

/** The report card in a few words, and a link to it; a server with keys gives it as a file, as links carry no key. */
async function showCard(model) {
  const path = `v1/models/${encodeURIComponent(model.id)}/card`;
  let verdict;
  try {
    verdict = await (await ask(`${path}?format=json`)).json();
  } catch (problem) {
    if (chosenModel() === model) at("card").append(problem.status === 404 ? " It has no report card." : ` ${problem.message}`);
    return;
  }
  if (chosenModel() !== model) return;
  const outcomes = new Map();
  for (const reason of verdict.reasons) outcomes.set(reason.outcome, (outcomes.get(reason.outcome) ?? 0) + 1);
  const worst = verdict.reasons.filter((reason) => ["failed", "missing", "too thin"].includes(reason.outcome)).slice(0, 3);
  const link = el("a", { href: path, target: "_blank", rel: "noopener" }, "Report card");
  link.addEventListener("click", (event) => at("key").value && downloadCard(event, path));
  at("card").replaceChildren(link, ` (${verdict.policy}): ${verdict.status}; of its demands `,
    [...outcomes].map(([outcome, n]) => `${n} ${outcome}`).join(", "), ".");
  if (worst.length) at("card").after(el("ul", {}, ...worst.map((reason) => el("li", {}, `${reason.finding}: ${reason.text}`))));
}

async function downloadCard(event, path) {
  event.preventDefault();
  try {
    const url = URL.createObjectURL(await (await ask(path, { accept: "text/html" })).blob());
    el("a", { href: url, download: "report-card.html" }).click();
    URL.revokeObjectURL(url);
  } catch (problem) {
    showError(at("problem"), problem);
  }
}
