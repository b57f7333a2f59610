// What is written: the turns of the prompt, and the answers.

import { at, letter } from "./elements.js";
import { chosenModel } from "./models.js";

export const turns = () => [...at("turns").children];
export const answers = () => [...at("answers").children];
export const part = (item, name) => item.querySelector(`[data-part="${name}"]`);

/** A copy of a template in a list, with labels that name its fields. */
function added(list, template, focus) {
  const item = at(template).content.firstElementChild.cloneNode(true);
  list.append(item);
  part(item, "remove").addEventListener("click", () => remove(list, item));
  part(item, "role")?.addEventListener("change", relabel);
  part(item, "text").addEventListener("input", () => clearFault(item));
  relabel();
  if (focus) part(item, "text").focus();
  return item;
}

export const addTurn = (focus) => added(at("turns"), "turn-template", focus);
export const addAnswer = (focus) => added(at("answers"), "answer-template", focus);

/** Focus goes to the neighbour, so that the keyboard is never lost. */
function remove(list, item) {
  const next = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  relabel();
  part(next, "text").focus();
}

/** Names, numbers and the visibility of "Remove", after any change. */
function relabel() {
  turns().forEach((item, place) => {
    const role = part(item, "role").value;
    item.className = `turn ${role}`;
    name(item, "role", `turn-${place}-role`, turns().length === 1 ? "Who speaks" : `Who speaks (turn ${place + 1})`);
    name(item, "text", `turn-${place}`, turns().length === 1 ? "What is said" : `What is said (turn ${place + 1})`);
    label(part(item, "remove"), `Remove turn ${place + 1}`, turns().length > 1);
  });
  answers().forEach((item, place) => {
    name(item, "text", `answer-${place}`, `Answer ${letter(place)}`);
    part(item, "fault").id = `answer-${place}-fault`;
    label(part(item, "remove"), `Remove answer ${letter(place)}`, answers().length > 1);
  });
}

function name(item, field, id, text) {
  part(item, field).id = id;
  const tag = item.querySelector(`[data-for="${field}"]`);
  tag.htmlFor = id;
  tag.textContent = text;
}

function label(button, text, visible) {
  button.setAttribute("aria-label", text);
  button.hidden = !visible;
}

export function fault(item, text) {
  const field = part(item, "text");
  field.setAttribute("aria-invalid", "true");
  const note = part(item, "fault");
  if (!note) return;
  field.setAttribute("aria-describedby", note.id);
  note.textContent = text;
  note.hidden = false;
}

export function clearFault(item) {
  part(item, "text").removeAttribute("aria-invalid");
  part(item, "text").removeAttribute("aria-describedby");
  if (part(item, "fault")) part(item, "fault").hidden = true;
}

/** What is asked, and which answer stands at which place of it; an answer that was left blank is left out. */
export function written() {
  const messages = turns().map((item) => ({ role: part(item, "role").value, content: part(item, "text").value }));
  const filled = answers().map((item, place) => ({ place, text: part(item, "text").value })).filter(({ text }) => text.trim());
  const plain = messages.length === 1 && messages[0].role === "user";
  return {
    places: filled.map(({ place }) => place),
    body: {
      model: chosenModel()?.id,
      prompt: plain ? messages[0].content : messages,
      answers: filled.map(({ text }) => text),
      truncate: at("truncate").checked,
    },
  };
}

/** What is missing, in words, or nothing; the first blank field gets the focus. */
export function missing() {
  const blank = [...turns(), ...(answers().some(hasText) ? [] : answers().slice(0, 1))].filter((item) => !hasText(item));
  if (!blank.length) return null;
  blank.forEach((item) => fault(item, "Write something here"));
  part(blank[0], "text").focus();
  return blank[0].matches(".turn") ? "The prompt is empty." : "There is no answer to score.";
}

const hasText = (item) => part(item, "text").value.trim() !== "";
