// What came back: rewards best first, their parts, and which answer is preferred.

import { at, count, el, letter, number, percent, signed, table } from "./elements.js";
import { chosenModel, modelNamed } from "./models.js";

const MOST_IN_MATRIX = 6;
const SHOWN_CHARS = 160;
// Where a step counts as right, and below which as wrong; between the two it is said to be unsure.
const RIGHT = 0.8;
const WRONG = 0.5;

export function showScores(reply, places, texts, seconds) {
  const model = modelNamed(reply.model) ?? chosenModel();
  const rows = reply.data.map((row, place) => ({ ...row, text: texts[place], name: `Answer ${letter(places[place])}` }));
  rows.sort((one, other) => (other.reward ?? -Infinity) - (one.reward ?? -Infinity));
  const tokens = rows.reduce((sum, row) => sum + (row.n_tokens ?? 0), 0);
  const cut = rows.filter((row) => row.truncated).length;
  at("status").textContent = [
    `${count(rows.length, "answer")} scored in ${seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`}`,
    tokens && count(tokens, "token"),
    cut && `${cut} cut to fit`,
    rows.length > 1 && `${rows[0].name} is rewarded best`,
  ].filter(Boolean).join(" · ") + ".";
  at("output").replaceChildren(...[
    ranking(rows), attributes(rows), members(rows), preferred(rows, model), json(reply),
  ].filter(Boolean));
}

function ranking(rows) {
  const known = rows.filter((row) => row.reward !== null);
  const mean = known.reduce((sum, row) => sum + row.reward, 0) / known.length;
  const reach = Math.max(...known.map((row) => Math.abs(row.reward - mean) + (row.spread ?? 0)), 0) || 1;
  const several = known.length > 1;
  const spread = rows.some((row) => row.spread !== undefined && row.spread !== null);
  return el("div", {},
    several && el("p", { class: "about" }, `Best first. A bar shows how far a reward lies above or below the mean of these answers (${number(mean)}).`,
      spread ? " The thin line is the spread of the ensemble's members." : ""),
    el("ol", { class: "ranking" }, ...rows.map((row, place) => el("li", {},
      el("div", { class: "rewarded" },
        el("div", { class: "who" }, el("span", { class: "rank" }, `${place + 1}. `), row.name),
        several && row.reward !== null ? bar(row, mean, reach) : el("span"),
        el("div", { class: "value" }, number(row.reward), spread && row.spread !== null && el("small", {}, ` ± ${number(row.spread)}`))),
      stepTexts(row).length === 0 && el("p", { class: "said" }, shown(row.text)),
      detail(row), steps(row), rationale(row)))));
}

const shown = (text) => (text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)} …` : text);

function bar(row, mean, reach) {
  const half = (value) => 50 + (48 * (value - mean)) / reach;
  const low = Math.min(half(row.reward), 50);
  const fill = el("span", { class: row.reward < mean ? "fill below" : "fill" });
  fill.style.left = `${low}%`;
  fill.style.width = `${Math.max(half(row.reward), 50) - low}%`;
  const whisker = row.spread ? el("span", { class: "whisker" }) : null;
  if (whisker) {
    whisker.style.left = `${half(row.reward - row.spread)}%`;
    whisker.style.width = `${half(row.reward + row.spread) - half(row.reward - row.spread)}%`;
  }
  return el("div", { class: "track", role: "img", "aria-label": `${signed(row.reward - mean)} from the mean` },
    fill, whisker, el("span", { class: "middle" }));
}

function detail(row) {
  const said = [row.n_tokens && count(row.n_tokens, "token")].filter(Boolean).join(" · ");
  if (!said && !row.truncated) return null;
  return el("p", { class: "detail" }, said, row.truncated && el("span", { class: "cut" }, " · cut: the beginning of the prompt was not read"));
}

function steps(row) {
  if (!row.steps?.length) return null;
  const texts = stepTexts(row);
  return el("ol", { class: "steps", "aria-label": `Steps of ${row.name}, each with the probability that it is right` },
    ...row.steps.map((probability, place) => {
      const [tone, word] = judged(probability);
      return el("li", { class: tone }, el("span", { class: "prob" }, `${word} ${probability === null ? "" : number(probability, 2)}`),
        el("span", { class: "text" }, texts[place] ?? `step ${place + 1}`));
    }));
}

function judged(probability) {
  if (probability === null) return ["", "cut"];
  if (probability >= RIGHT) return ["right", "✓"];
  return probability < WRONG ? ["wrong", "✕"] : ["unsure", "?"];
}

/** The texts of the steps: the model cuts an answer at line ends or at blank lines; whichever gives their number. */
function stepTexts(row) {
  if (!row.steps) return [];
  const cuts = [row.text.split(/\n/), row.text.split(/\n\s*\n/)].map((all) => all.map((one) => one.trim()).filter(Boolean));
  return cuts.find((all) => all.length === row.steps.length) ?? [];
}

function rationale(row) {
  return row.rationale ? el("div", { class: "rationale" }, el("strong", {}, "What the model wrote"), row.rationale) : null;
}

function attributes(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.attributes ?? {})))];
  if (!names.length) return null;
  return el("div", {}, el("h3", {}, "Attributes"), table("What the reward is put together from", ["", ...names],
    rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.name),
      ...names.map((name) => el("td", { class: "number" }, number(row.attributes?.[name])))))));
}

function members(rows) {
  const n = Math.max(...rows.map((row) => row.members?.length ?? 0));
  if (!n) return null;
  return el("div", {}, el("h3", {}, "Members"), table("The reward of each member of the ensemble",
    ["", ...Array.from({ length: n }, (_, place) => `member ${place + 1}`)],
    rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.name),
      ...row.members.map((value) => el("td", { class: "number" }, number(value)))))));
}

const sigmoid = (value) => 1 / (1 + Math.exp(-value));

/** σ((r_A − r_B) / T) for all pairs; where there are many answers, of the best one over each other. */
function preferred(rows, model) {
  const known = rows.filter((row) => row.reward !== null);
  if (known.length < 2) return null;
  const temperature = model?.temperature ?? null;
  const over = (one, other) => sigmoid((one.reward - other.reward) / (temperature ?? 1));
  const source = temperature === null
    ? "Not calibrated: no evaluation of these weights lies beside the model, so the rewards are taken as log-odds. Read it as an order, not as a chance."
    : `Calibrated on held-out pairs: the difference of the rewards is divided by T = ${number(temperature)}.`;
  const many = known.length > MOST_IN_MATRIX;
  const across = many ? known.slice(1) : known;
  const caption = many ? `How likely ${known[0].name} is preferred to each other` : "How likely the answer of the row is preferred to that of the column";
  const lines = many
    ? across.map((row) => el("tr", {}, el("th", { scope: "row" }, row.name), chance(over(known[0], row))))
    : known.map((row) => el("tr", {}, el("th", { scope: "row" }, row.name),
      ...across.map((other) => (row === other ? el("td", {}, "–") : chance(over(row, other))))));
  const head = many ? ["", `over it, ${known[0].name}`] : ["", ...across.map((row) => `over ${row.name.replace("Answer ", "")}`)];
  return el("div", {}, el("h3", {}, "Which is preferred"), el("p", { class: "about", id: "calibration" }, source), table(caption, head, lines, "matrix"));
}

function chance(probability) {
  const tone = probability >= 0.75 ? "likely" : probability <= 0.25 ? "unlikely" : null;
  return el("td", { class: tone }, percent(probability));
}

function json(reply) {
  return el("details", {}, el("summary", {}, "The reply as JSON"), el("pre", { tabindex: "0" }, JSON.stringify(reply, null, 2)));
}
