// Votes that are on their way. Each is written into this browser before it is sent, and taken out when the server has
// acknowledged it: a lost connection, a closed tab or a killed server loses nothing. The id of a vote is made once, so
// that the same vote sent twice is one vote.

const { project, rater, csrf } = document.body.dataset;
const PREFIX = `rewardsmith:vote:${project}:${rater}:`;
const REFUSED = `rewardsmith:refused:${project}:${rater}:`;
const TIMEOUT_MS = 15_000;

/** Why a vote is not there yet: `offline` (try again), `refused` (never), `signed-out` (after the link is opened again). */
export class NotSent extends Error {
  constructor(reason, message, error = null) {
    super(message);
    Object.assign(this, { reason, error });
  }
}

/** Ask the server; `NotSent` says why it did not answer with success. */
export async function ask(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers: { Accept: "application/json", "X-CSRF-Token": csrf },
      body: body === undefined ? undefined : new URLSearchParams(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new NotSent("offline", "No connection.");
  }
  const said = await response.json().catch(() => ({}));
  if (response.ok) return said;
  const error = said.error ?? { message: `the server answered ${response.status}` };
  if ([401, 403].includes(response.status)) throw new NotSent("signed-out", error.message, error);
  if ([408, 429].includes(response.status) || response.status >= 500) throw new NotSent("offline", error.message, error);
  throw new NotSent("refused", error.message, error);
}

export const keep = (id, body) => localStorage.setItem(PREFIX + id, body);
export const forget = (id) => localStorage.removeItem(PREFIX + id);

/** What is kept and not acknowledged: pairs of id and body. */
export function kept() {
  return Object.keys(localStorage).filter((name) => name.startsWith(PREFIX))
    .map((name) => [name.slice(PREFIX.length), localStorage.getItem(name)]);
}

/** Send one vote that is kept. A refused one is put aside: what a rater did is never thrown away. */
export async function send(id, body) {
  try {
    const said = await ask(`/p/${project}/votes`, body);
    forget(id);
    return said;
  } catch (problem) {
    if (problem.reason === "refused") {
      localStorage.setItem(REFUSED + id, body);
      forget(id);
    }
    throw problem;
  }
}

/** Send all that is kept; how many were. Stops at the first one that cannot be sent, unless it was refused. */
export async function sendAll() {
  let sent = 0;
  for (const [id, body] of kept()) {
    try {
      await send(id, body);
      sent += 1;
    } catch (problem) {
      if (problem.reason !== "refused") throw problem;
    }
  }
  return sent;
}
