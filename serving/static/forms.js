// Sending things: one function for every JSON call of the console, and what an answer means for a person.

export class Refused extends Error {
  constructor(status, error) {
    super(error?.message || "The server did not answer as expected.");
    this.status = status;
    this.code = error?.code || "";
    this.field = error?.field || "";
  }
}

export async function send(path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", Accept: "application/json", ...headers },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, { message: "The server cannot be reached. Your draft is kept; try again." });
  }
  const read = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, read.error);
  return read;
}
