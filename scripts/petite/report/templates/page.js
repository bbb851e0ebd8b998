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
  const inOrder = [...body.rows];
  const rows = [...inOrder];
  const keys = new Map(rows.map((row) => [row, JSON.parse(row.dataset.sort)]));
  const menu = find("#sort-by");
  const names = findAll(".results thead button").map((button) => button.textContent);

  function compare(one, other, direction) {
    // Rows without a value stay at the end in both directions.
    if (one === "" || other === "") return (one === "") - (other === "");
    return direction * (typeof one === "number" ? one - other : one.localeCompare(other));
  }

  function sort(heading, direction) {
    const column = headings.indexOf(heading);
    headings.forEach((other) => other.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", direction);
    menu.value = heading.dataset.key;
    const sign = direction === "ascending" ? 1 : -1;
    rows.sort((a, b) => compare(keys.get(a)[column], keys.get(b)[column], sign));
    body.append(...rows);
  }

  function unsort() {
    headings.forEach((heading) => heading.setAttribute("aria-sort", "none"));
    body.append(...inOrder);
  }

  headings.forEach((heading, number) => {
    menu.add(new Option(names[number], heading.dataset.key));
    find("button", heading).addEventListener("click", () => {
      const now = heading.getAttribute("aria-sort");
      const other = now === "ascending" ? "descending" : "ascending";
      sort(heading, now === "none" ? heading.dataset.first : other);
    });
  });
  menu.addEventListener("change", () => {
    const heading = headings.find((candidate) => candidate.dataset.key === menu.value);
    if (heading) sort(heading, heading.dataset.first);
    else unsort();
  });

  function filter() {
    const part = find("#filter-method").value.trim().toLowerCase();
    const share = find("#filter-share").value;
    const verdict = find("#filter-verdict").value;
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
const PICKS = 24;

function unpack(text, Type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Type(bytes.buffer);
}

async function startPlane() {
  const data = JSON.parse(find("#plane-data").textContent);
  const points = { x: unpack(data.x, Float32Array), y: unpack(data.y, Float32Array) };
  const labels = unpack(data.labels, Uint16Array);
  const pictured = unpack(data.pictured, Uint32Array);
  const everyRow = Array.from(labels.keys());
  const views = await Bokeh.embed.embed_item(JSON.parse(find("#plane-picture").textContent));
  const plot = [...views][0].model;
  const part = (name) => plot.document.get_model_by_name(name);
  const methods = JSON.parse(find("#plane-methods").textContent);
  const method = find("#plane-method");
  const size = find("#plane-size");
  const seed = find("#plane-seed");
  const only = find("#plane-class");
  let kept = new Uint8Array(labels.length); // 1 where the shown subset keeps the image

  const ofClass = (label) => only.value === "" || label === Number(only.value);

  function put(name, rows) {
    part(name).data = {
      x: Float32Array.from(rows, (row) => points.x[row]),
      y: Float32Array.from(rows, (row) => points.y[row]),
      label: Float32Array.from(rows, (row) => labels[row]),
    };
  }

  function setCells(packed) {
    const walls = packed ? unpack(packed, Float32Array) : new Float32Array(0);
    const lines = [];
    for (let at = 0; at < walls.length; at += 5) if (ofClass(walls[at + 4])) lines.push(at);
    const column = (place) => Float32Array.from(lines, (at) => walls[at + place]);
    part("cells").data = { x0: column(0), y0: column(1), x1: column(2), y1: column(3), label: column(4) };
    find("#plane-cells").disabled = !walls.length;
  }

  function say(key) {
    const { all, least, most, each } = data.counts[key];
    const text = (count) => count.toLocaleString("en");
    const byClass = each.length
      ? each.map((count, label) => `${data.classes[label]}: ${text(count)}`).join(", ")
      : `${least < most ? `${text(least)} to ` : ""}${text(most)} of each of ${text(data.classes.length)} classes`;
    find("#plane-words").textContent =
      `${method.value} keeps ${text(all)} of ${text(data.total)} images (${byClass}).` +
      (data.cells[key] ? " The lines are the cells of its tiling." : "");
  }

  function middles(list, wanted) {
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

  // A chosen class is shown alone; if the page has no place for it, one is added.
  const extra = find(".pick")?.cloneNode(true);
  if (extra) extra.id = "pick-chosen";

  function choosePicks() {
    find("#pick-chosen")?.remove();
    if (find("#picks-shown")) find("#picks-shown").hidden = only.value !== "";
    const picks = findAll(".pick");
    for (const pick of picks) pick.hidden = !ofClass(Number(pick.dataset.label));
    if (!extra || picks.some((pick) => !pick.hidden)) return;
    extra.className = `pick class-${only.value % data.hues}`;
    extra.dataset.label = only.value;
    find(".class-name", extra).textContent = data.classes[only.value];
    find("#picks").append(extra);
  }

  function setPicks() {
    choosePicks();
    for (const pick of findAll(".pick")) {
      const label = Number(pick.dataset.label);
      const members = [...pictured.keys()].filter((place) => labels[pictured[place]] === label);
      for (const [name, wanted] of [["kept", 1], ["dropped", 0]]) {
        const those = members.filter((place) => kept[pictured[place]] === wanted);
        find(`.${name}`, pick).replaceChildren(...middles(those, PICKS).map(tile));
      }
    }
  }

  function show() {
    const { key, text, seeds } = methods.find((each) => each.name === method.value).sizes[Number(size.value)];
    setSeeds(seeds);
    const subset = `${key}:${seed.value}`;
    find("#plane-size-text").textContent = text;
    size.setAttribute("aria-valuetext", text);
    const bits = unpack(data.chosen[subset], Uint8Array);
    find("#plane-tip").hidden = true;
    kept = kept.map((_, row) => (bits[row >> 3] >> (7 - (row & 7))) & 1);
    const rows = everyRow.filter((row) => kept[row] && ofClass(labels[row]));
    put("kept", rows);
    setCells(data.cells[subset]);
    say(subset);
    setPicks();
    find("#picks-words").textContent = `${method.value}, ${text}, seed ${seed.selectedOptions[0].text}`;
    find("#plane-drawing").dataset.kept = rows.length;
  }

  function setSeeds(seeds) {
    const texts = Object.entries(seeds);
    const now = seed.value;
    seed.replaceChildren(...texts.map(([value, text]) => new Option(text, value)));
    if (now in seeds) seed.value = now;
    seed.disabled = texts.length < 2;
  }

  function chooseMethod() {
    const sizes = methods.find((each) => each.name === method.value).sizes;
    size.max = sizes.length - 1;
    size.disabled = sizes.length < 2;
    size.value = Math.min(Number(size.value), sizes.length - 1);
    show();
  }

  function chooseClass() {
    put("everything", everyRow.filter((row) => ofClass(labels[row])));
    show();
  }
  method.addEventListener("change", chooseMethod);
  size.addEventListener("input", show);
  seed.addEventListener("change", show);
  only.addEventListener("change", chooseClass);

  // ------------------------------------------------ colors of light and dark

  function paint() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    part("class_colors").palette = data.classes.map((_, label) => color(`--class-${label % data.hues}`));
    part("kept_dots").glyph.line_color = color("--ink");
  }
  paint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  // ------------------------------------------------ what is shown, and zoom

  find("#plane-cells").addEventListener("change", (event) => (part("walls").visible = event.target.checked));
  find("#plane-rest").addEventListener("change", (event) => (part("all_dots").visible = event.target.checked));

  function zoom(factor) {
    for (const range of [plot.x_range, plot.y_range]) {
      const middle = (range.start + range.end) / 2;
      const half = (factor * (range.end - range.start)) / 2;
      range.setv({ start: middle - half, end: middle + half });
    }
  }
  find("#plane-zoom-in").addEventListener("click", () => zoom(0.7));
  find("#plane-zoom-out").addEventListener("click", () => zoom(1 / 0.7));
  find("#plane-show-all").addEventListener("click", () => {
    for (const range of [plot.x_range, plot.y_range]) {
      range.setv({ start: range.reset_start, end: range.reset_end });
    }
  });
  // On a touch screen a finger on the plane scrolls the page; buttons zoom.
  if (matchMedia("(pointer: coarse)").matches) plot.toolbar.active_drag = null;

  // ------------------------------------------------ the image under the pointer

  const tip = find("#plane-tip");
  function nearest(event) {
    const across = plot.inner_width / (plot.x_range.end - plot.x_range.start);
    const up = plot.inner_height / (plot.y_range.end - plot.y_range.start);
    let best = -1;
    let least = NEAR ** 2;
    for (let place = 0; place < pictured.length; place++) {
      const row = pictured[place];
      if (!ofClass(labels[row])) continue;
      const distance =
        ((points.x[row] - event.x) * across) ** 2 + ((points.y[row] - event.y) * up) ** 2;
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
      `${data.names[place]} (${data.classes[labels[row]]}), ${kept[row] ? "kept" : "dropped"}`;
    const room = tip.parentElement.getBoundingClientRect();
    const left = event.sx + 16 + tip.offsetWidth < room.width ? event.sx + 16 : event.sx - 16 - tip.offsetWidth;
    const top = Math.min(event.sy + 16, room.height - tip.offsetHeight);
    tip.style.left = `${Math.max(0, left)}px`;
    tip.style.top = `${Math.max(0, top)}px`;
  };

  put("everything", everyRow);
  chooseMethod();
  find("#plane-drawing").dataset.ready = "";
}
// Without a subset there is nothing to choose from.
if (find("#plane-method")) startPlane();
