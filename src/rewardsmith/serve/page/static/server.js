// Asking the server, and showing what it says in the place of an answer.

import { at, callout, facts } from "./elements.js";

/** What the server said in the place of an answer: the fields of its error envelope. */
class Refused extends Error {
  constructor(status, error, retryAfter) {
    super(error.message);
    Object.assign(this, { status, error, retryAfter });
  }
}

export async function ask(path, { body, signal, accept = "application/json" } = {}) {
  const headers = { Accept: accept };
  if (at("key").value) headers.Authorization = `Bearer ${at("key").value}`;
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
  if (response.ok) return response;
  let error = { message: `The server answered ${response.status} ${response.statusText}` };
  try {
    error = (await response.json()).error ?? error;
  } catch (unreadable) {
    error.got = String(unreadable);
  }
  throw new Refused(response.status, error, response.headers.get("Retry-After"));
}

/** An error for the reader: what was wanted, what came, what to do. */
export function showError(place, problem) {
  const error = problem.error ?? { message: `The server cannot be reached: ${problem.message}`, fix: "see whether it runs" };
  place.replaceChildren(callout("critical", problem.status ?? "error", error.message, facts([
    ["where", error.where], ["wanted", error.wanted], ["got", error.got], ["what to do", error.fix],
    ["try again in", problem.retryAfter && `${problem.retryAfter} s`], ["request", error.request_id],
  ])));
  if (problem.status === 401) {
    at("access").open = true;
    at("key").focus();
  }
}
