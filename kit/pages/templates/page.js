"use strict";
(() => {
  const gallery = document.getElementById("gallery");
  if (!gallery) return;
  const cards = [...gallery.querySelectorAll(".card")];
  const choose = (name) => document.getElementById(name)?.value ?? "";
  const visible = () => [...gallery.children].filter((card) => !card.hidden);

  function arrange() {
    const [key, sign] = choose("sort").split(" ");
    const kind = choose("kind"), count = choose("count");
    const compare = key === "name"
      ? (a, b) => (a.dataset.name < b.dataset.name ? -1 : 1)
      : (a, b) => sign * (a.dataset[key] - b.dataset[key]); // stable: among equals, the worst stays first
    for (const card of cards) {
      card.hidden = !((!kind || card.dataset.kinds.split(" ").includes(kind)) && (!count || card.dataset.group === count));
    }
    gallery.append(...[...cards].sort(compare));
    document.getElementById("shown").textContent = `${visible().length} of ${cards.length} shown`;
  }
  for (const name of ["sort", "kind", "count"]) document.getElementById(name)?.addEventListener("change", arrange);
  arrange();

  const dialog = document.getElementById("zoom"), stage = document.getElementById("stage");
  let current = null, svg = null, view = null; // view: left, top, side in px of the image

  function place() {
    const width = +svg.dataset.width, height = +svg.dataset.height, longest = Math.max(width, height);
    view.side = Math.min(longest, Math.max(24, view.side));
    view.left = Math.min(Math.max(view.left, Math.min(0, (width - view.side) / 2)), Math.max(width - view.side, (width - view.side) / 2));
    view.top = Math.min(Math.max(view.top, Math.min(0, (height - view.side) / 2)), Math.max(height - view.side, (height - view.side) / 2));
    svg.setAttribute("viewBox", `${view.left} ${view.top} ${view.side} ${view.side}`);
    svg.style.setProperty("--size", `${view.side / 45}px`);
  }
  function show(card) {
    current = card;
    svg = card.querySelector("svg").cloneNode(true);
    const half = card.querySelector(".half") ? ", shown at half resolution" : "";
    const spans = [...card.querySelectorAll("span")].map((span) => (span.classList.contains("what") ? span.firstChild?.nodeValue ?? "" : span.textContent));
    document.getElementById("zoom-name").textContent = spans.filter((text) => text.trim()).join(" · ") + half;
    stage.replaceChildren(svg);
    whole();
  }
  function whole() {
    view = { left: 0, top: 0, side: Math.max(+svg.dataset.width, +svg.dataset.height) };
    place();
  }
  function zoom(factor, x = view.left + view.side / 2, y = view.top + view.side / 2) {
    const side = Math.min(Math.max(+svg.dataset.width, +svg.dataset.height), Math.max(24, view.side * factor)), ratio = side / view.side;
    view = { left: x - (x - view.left) * ratio, top: y - (y - view.top) * ratio, side };
    place();
  }
  function go(by) {
    const list = visible(), next = list[list.indexOf(current) + by];
    if (next) show(next);
  }
  function toggle(name) {
    const button = dialog.querySelector(`[data-do=${name}]`);
    if (button) button.setAttribute("aria-pressed", String(!dialog.classList.toggle(`no-${name}`)));
  }
  const actions = {
    truth: () => toggle("truth"), prediction: () => toggle("prediction"), in: () => zoom(0.8), out: () => zoom(1.25), whole,
    previous: () => go(-1), next: () => go(1), close: () => dialog.close(),
  };
  const keys = { t: "truth", p: "prediction", "+": "in", "=": "in", "-": "out", 0: "whole", ArrowLeft: "previous", ArrowRight: "next" };

  gallery.addEventListener("click", (event) => {
    const card = event.target.closest(".card");
    if (!card) return;
    dialog.showModal();
    show(card);
  });
  dialog.addEventListener("click", (event) => actions[event.target.closest("[data-do]")?.dataset.do]?.());
  dialog.addEventListener("keydown", (event) => {
    const name = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!name || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[name]();
  });
  dialog.addEventListener("close", () => current?.focus());
  const locate = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [point.x, point.y];
  };
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.deltaY) zoom(event.deltaY < 0 ? 0.85 : 1 / 0.85, ...locate(event));
  }, { passive: false });
  let grip = null;
  stage.addEventListener("pointerdown", (event) => { grip = locate(event); stage.setPointerCapture(event.pointerId); });
  stage.addEventListener("pointermove", (event) => {
    if (!grip) return;
    const [x, y] = locate(event);
    view.left += grip[0] - x;
    view.top += grip[1] - y;
    place();
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, () => { grip = null; });
})();
