// The page: score what is written, show what comes back.

import { at, count } from "./elements.js";
import { addAnswer, addTurn, answers, clearFault, fault, missing, part, turns, written } from "./form.js";
import { loadModels, showModel } from "./models.js";
import { showScores } from "./results.js";
import { ask, showError } from "./server.js";

let running = null;

const say = (text) => { at("status").textContent = text; };

function setBusy(busy) {
  at("results").setAttribute("aria-busy", String(busy));
  at("score").setAttribute("aria-disabled", String(busy));
  at("score").textContent = busy ? "Scoring …" : "Score";
  at("stop").hidden = !busy;
}

async function score() {
  if (running) return;
  [...turns(), ...answers()].forEach(clearFault);
  at("problem").replaceChildren();
  const lacking = missing();
  if (lacking) {
    say(lacking);
    return;
  }
  const { body, places } = written();
  const started = performance.now();
  say(`Scoring ${count(body.answers.length, "answer")} …`);
  const reply = await answered(body, places);
  if (!reply) return;
  showScores(reply, places, body.answers, (performance.now() - started) / 1000);
  // The focus stays where it was, for the next try; the status line is read out.
  at("results").scrollIntoView({ block: "nearest" });
}

/** The server's reply, or nothing where it refused or was stopped, which is then said. */
async function answered(body, places) {
  running = new AbortController();
  setBusy(true);
  try {
    return await (await ask("v1/rewards", { body, signal: running.signal })).json();
  } catch (problem) {
    at("output").replaceChildren();
    if (problem.name === "AbortError") say("Stopped: nothing was scored.");
    else showRefusal(problem, places);
    return null;
  } finally {
    running = null;
    setBusy(false);
  }
}

/** The error, and a mark at the answer that it is about. */
function showRefusal(problem, places) {
  say("Not scored.");
  showError(at("problem"), problem);
  const found = /(?:conversation|answer|answers|text)\D{0,2}(\d+)/.exec(problem.error?.where ?? "");
  const item = found && answers()[places[Number(found[1])]];
  if (item) {
    fault(item, [problem.error.message, problem.error.got].filter(Boolean).join(": "));
    part(item, "text").focus();
  }
}

function clear() {
  at("turns").replaceChildren();
  at("answers").replaceChildren();
  addTurn(false);
  addAnswer(false);
  addAnswer(false);
  at("problem").replaceChildren();
  at("output").replaceChildren();
  say("Nothing scored yet.");
}

at("texts").addEventListener("submit", (event) => { event.preventDefault(); score(); });
at("texts").addEventListener("reset", () => { clear(); part(turns()[0], "text").focus(); });
at("add-turn").addEventListener("click", () => addTurn(true));
at("add-answer").addEventListener("click", () => addAnswer(true));
at("stop").addEventListener("click", () => { running?.abort(); at("score").focus(); });
at("model").addEventListener("change", showModel);
at("access-form").addEventListener("submit", (event) => { event.preventDefault(); loadModels(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  score();
});
clear();
loadModels();
