// Shows a text that the server has cut into pieces. Every piece becomes a text node: markup in a text stays text.

const MAKE = {
  plain: (piece) => element("span", "", piece.text),
  shown: (piece) => element("mark", "shown", piece.text),
  control: (piece) => element("bdi", "control", piece.text, "An invisible control character"),
};

export function passageOf(pieces) {
  return pieces.map((piece) => (MAKE[piece.kind] ?? MAKE.plain)(piece));
}

function element(name, kind, text, title = "") {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (title) made.title = title;
  made.append(document.createTextNode(text));
  return made;
}
