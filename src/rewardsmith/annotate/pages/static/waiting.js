// The page without a task: it sends what was kept, and looks from time to time whether there is a task.

import { ask, kept, sendAll } from "./outbox.js";

const AGAIN_MS = 15_000;
const { again } = document.body.dataset;
const status = document.getElementById("status");

async function look() {
  if (document.visibilityState !== "visible") return;
  try {
    if (kept().length > 0 && (await sendAll()) > 0) {
      location.reload();
      return;
    }
    status.textContent = "";
    if (again && (await ask(again)).task) location.reload();
  } catch (problem) {
    status.textContent = kept().length > 0 ? `${problem.message} ${kept().length} of your votes are kept in this browser.` : problem.message;
  }
}

setInterval(look, AGAIN_MS);
addEventListener("online", look);
document.addEventListener("visibilitychange", look);
look();
