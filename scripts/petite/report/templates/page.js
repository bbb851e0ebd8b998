"use strict";
// The page is readable without this: it sorts, filters and draws the plane.

const find = (selector, within = document) => within.querySelector(selector);
const findAll = (selector, within = document) => [...within.querySelectorAll(selector)];

document.documentElement.classList.add("scripted");
findAll("[data-needs-script]").forEach((element) => (element.hidden = false));

// ---------------------------------------------------------------- the table

function startTable() {
  const body = find(".results tbody");
  const headings = findAll(".results thead th");
  const rows = [...body.rows];
  const keys = new Map(rows.map((row) => [row, JSON.parse(row.dataset.sort)]));
  const menu = find("#sort-by");
  const names = findAll(".results thead button").map((button) => button.textContent);
  // Without verdicts their columns are not shown, but their keys are there.
  const place = Object.fromEntries(
    ["method", "share", "images", "runs", "accuracy", "difference", "verdict", "full", "stored",
     "select", "train"].map((name, number) => [name, number]),
  );

  function compare(one, other, direction) {
    // What has no value stays at the end, whichever the direction.
    if (one === "" || other === "") return (one === "") - (other === "");
    return direction * (typeof one === "number" ? one - other : one.localeCompare(other));
  }

  function sort(heading, direction) {
    const column = place[heading.dataset.key];
    headings.forEach((other) => other.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", direction);
    menu.value = heading.dataset.key;
    const sign = direction === "ascending" ? 1 : -1;
    rows.sort((a, b) => compare(keys.get(a)[column], keys.get(b)[column], sign));
    body.append(...rows);
  }

  headings.forEach((heading, number) => {
    menu.add(new Option(names[number], heading.dataset.key));
    find("button", heading).addEventListener("click", () => {
      const now = heading.getAttribute("aria-sort");
      const other = now === "ascending" ? "descending" : "ascending";
      sort(heading, now === "none" ? heading.dataset.first : other);
    });
  });
  menu.selectedIndex = -1;
  menu.addEventListener("change", () => {
    const heading = headings.find((candidate) => candidate.dataset.key === menu.value);
    sort(heading, heading.dataset.first);
  });

  function filter() {
    const part = find("#filter-method").value.trim().toLowerCase();
    const share = find("#filter-share").value;
    const verdict = find("#filter-verdict")?.value || "";
    for (const row of rows) {
      row.hidden =
        !row.dataset.method.toLowerCase().includes(part) ||
        (share && row.dataset.share !== share) ||
        (verdict && row.dataset.verdict !== verdict);
    }
    const shown = rows.filter((row) => !row.hidden).length;
    find("#filtered").textContent = shown < rows.length ? `${shown} of ${rows.length} rows` : "";
  }
  find("#filters").addEventListener("input", filter);
  find("#filters").addEventListener("submit", (event) => event.preventDefault());
}
startTable();

// ---------------------------------------------------------------- the models

function startModels() {
  const menu = find("#model-case");
  const panels = findAll(".panel");
  function show() {
    panels.forEach((panel) => (panel.hidden = panel.dataset.case !== menu.value));
  }
  menu.addEventListener("change", show);
  show();
}
startModels();

// ---------------------------------------------------------------- the plane

const NEAR = 22; // pixels within which a dot's image is shown
const PICKS = 18;

function unpack(text, Type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Type(bytes.buffer);
}

async function startPlane() {
  const data = JSON.parse(find("#plane-data").textContent);
  const labels = unpack(data.labels, Uint16Array);
  const pictured = unpack(data.pictured, Uint32Array);
  const views = await Bokeh.embed.embed_item(JSON.parse(find("#plane-picture").textContent));
  const plot = [...views][0].model;
  const part = (name) => plot.document.get_model_by_name(name);
  const everything = part("everything").data;
  const methods = JSON.parse(find("#plane-methods").textContent);
  const method = find("#plane-method");
  const size = find("#plane-size");
  let shown = "";

  function isChosen(key) {
    const bits = unpack(data.chosen[key], Uint8Array);
    return (row) => (bits[row >> 3] >> (7 - (row & 7))) & 1;
  }

  function setKept(chosen) {
    const rows = [];
    for (let row = 0; row < labels.length; row++) if (chosen(row)) rows.push(row);
    part("kept").data = {
      x: Float32Array.from(rows, (row) => everything.x[row]),
      y: Float32Array.from(rows, (row) => everything.y[row]),
      label: Int32Array.from(rows, (row) => labels[row]),
    };
    return rows;
  }

  function setCells(key) {
    const walls = data.cells[key] ? unpack(data.cells[key], Float32Array) : new Float32Array(0);
    const column = (place) => walls.filter((_, number) => number % 4 === place);
    part("cells").data = { x0: column(0), y0: column(1), x1: column(2), y1: column(3) };
    find("#plane-cells").disabled = !walls.length;
  }

  function say(rows) {
    const counts = new Map();
    rows.forEach((row) => counts.set(labels[row], (counts.get(labels[row]) || 0) + 1));
    const each = data.classes
      .slice(0, 20)
      .map((name, label) => `${name} ${(counts.get(label) || 0).toLocaleString("en")}`);
    find("#plane-words").textContent =
      `${method.value} keeps ${rows.length.toLocaleString("en")} of ` +
      `${labels.length.toLocaleString("en")} images: ${each.join(", ")}` +
      (data.classes.length > 20 ? ", …" : ".") +
      (data.cells[shown] ? " The lines are the cells of its tiling." : "");
  }

  function evenly(list, wanted) {
    const count = Math.min(list.length, wanted);
    return Array.from({ length: count }, (_, n) => list[Math.floor(((n + 0.5) * list.length) / count)]);
  }

  function tile(place) {
    const item = document.createElement("li");
    const image = document.createElement("span");
    image.className = "thumb of-plane";
    image.setAttribute("role", "img");
    image.setAttribute("aria-label", data.names[place]);
    image.title = data.names[place];
    setPlace(image, place);
    item.append(image);
    return item;
  }

  function setPlace(image, place) {
    image.style.setProperty("--column", place % data.columns);
    image.style.setProperty("--row", Math.floor(place / data.columns));
  }

  function setPicks(chosen) {
    for (const pick of findAll(".pick")) {
      const label = Number(pick.dataset.label);
      const members = [...pictured.keys()].filter((place) => labels[pictured[place]] === label);
      for (const [name, wanted] of [["kept", 1], ["dropped", 0]]) {
        const those = members.filter((place) => chosen(pictured[place]) === wanted);
        find(`.${name}`, pick).replaceChildren(...evenly(those, PICKS).map(tile));
      }
    }
  }

  function show() {
    const sizes = methods.find((each) => each.name === method.value).sizes;
    const { key, text } = sizes[Number(size.value)];
    if (key === shown) return;
    shown = key;
    find("#plane-size-text").textContent = text;
    size.setAttribute("aria-valuetext", text);
    const chosen = isChosen(key);
    const rows = setKept(chosen);
    setCells(key);
    say(rows);
    setPicks(chosen);
    find("#picks-words").textContent = `${method.value}, ${text}`;
    find("#plane-drawing").dataset.kept = rows.length;
  }

  function chooseMethod() {
    const sizes = methods.find((each) => each.name === method.value).sizes;
    size.max = sizes.length - 1;
    size.disabled = sizes.length < 2;
    size.value = Math.min(Number(size.value), sizes.length - 1);
    show();
  }
  method.addEventListener("change", chooseMethod);
  size.addEventListener("input", show);

  // ------------------------------------------------ colours of light and dark

  function paint() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    part("class_colours").palette = data.classes.map((_, label) => colour(`--class-${label}`));
    for (const axis of [...plot.below, ...plot.left]) {
      axis.axis_label_text_color = axis.major_label_text_color = colour("--quiet");
      axis.axis_line_color = axis.major_tick_line_color = colour("--rule");
    }
    for (const grid of plot.center) grid.grid_line_color = colour("--rule");
    part("walls").glyph.line_color = colour("--quiet");
    part("kept_dots").glyph.line_color = colour("--ink");
  }
  paint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  // ------------------------------------------------ what is shown, and how near

  find("#plane-cells").addEventListener("change", (event) => (part("walls").visible = event.target.checked));
  find("#plane-rest").addEventListener("change", (event) => (part("all_dots").visible = event.target.checked));

  function zoom(factor) {
    for (const range of [plot.x_range, plot.y_range]) {
      const middle = (range.start + range.end) / 2;
      const half = (factor * (range.end - range.start)) / 2;
      range.setv({ start: middle - half, end: middle + half });
    }
  }
  find("#plane-nearer").addEventListener("click", () => zoom(0.7));
  find("#plane-farther").addEventListener("click", () => zoom(1 / 0.7));
  find("#plane-whole").addEventListener("click", () => {
    for (const range of [plot.x_range, plot.y_range]) {
      range.setv({ start: range.reset_start, end: range.reset_end });
    }
  });
  // On a touch screen a finger on the plane scrolls the page; there are buttons to come nearer.
  if (matchMedia("(pointer: coarse)").matches) plot.toolbar.active_drag = null;

  // ------------------------------------------------ the image under the pointer

  const tip = find("#plane-tip");
  const chosenNow = () => isChosen(shown);

  function nearest(event) {
    const across = plot.inner_width / (plot.x_range.end - plot.x_range.start);
    const up = plot.inner_height / (plot.y_range.end - plot.y_range.start);
    let best = -1;
    let least = NEAR ** 2;
    for (let place = 0; place < pictured.length; place++) {
      const row = pictured[place];
      const distance =
        ((everything.x[row] - event.x) * across) ** 2 + ((everything.y[row] - event.y) * up) ** 2;
      if (distance < least) [best, least] = [place, distance];
    }
    return best;
  }

  window.petitePlane = (event) => {
    const place = event.event_name === "mouseleave" ? -1 : nearest(event);
    tip.hidden = place < 0;
    if (tip.hidden) return;
    const row = pictured[place];
    setPlace(find(".thumb", tip), place);
    find("p", tip).textContent =
      `${data.names[place]} (${data.classes[labels[row]]}), ${chosenNow()(row) ? "kept" : "dropped"}`;
    const room = tip.parentElement.getBoundingClientRect();
    const left = event.sx + 16 + tip.offsetWidth < room.width ? event.sx + 16 : event.sx - 16 - tip.offsetWidth;
    const top = Math.min(event.sy + 16, room.height - tip.offsetHeight);
    tip.style.left = `${Math.max(0, left)}px`;
    tip.style.top = `${Math.max(0, top)}px`;
  };

  chooseMethod();
  find("#plane-drawing").dataset.ready = "";
}
// Without a subset there is nothing to choose from.
if (find("#plane-method").options.length) startPlane();
