// The case page as the server drew it: its parts by id, the facts it carries, its calls, and the lines that speak
// to the person. It does not know what is judged, sent or shown.

import { send } from "./forms.js";

export const $ = (id) => document.getElementById(id);
export const facts = $("case").dataset;

const address = `${facts.base}/cases/${encodeURIComponent(facts.case)}`;

export function call(action, body, headers) {
  return send(`${address}/${action}`, { lease_token: facts.lease, ...body }, headers);
}

export function say(text) {
  $("status").textContent = text;
}

export function complain(text) {
  $("problem").textContent = text;
}

// A notice takes the place of a problem, and the focus.
export function tell(notice) {
  complain("");
  $(notice).hidden = false;
  $(notice).focus();
}
