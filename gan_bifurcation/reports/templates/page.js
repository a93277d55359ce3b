"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const page = JSON.parse(document.getElementById("page-data").textContent);
  document.documentElement.classList.add("script");

  const unit = (axis, v) => axis.log ? Math.log(v / axis.low) / Math.log(axis.high / axis.low) : (v - axis.low) / (axis.high - axis.low);
  const value = (axis, t) => axis.log ? axis.low * Math.pow(axis.high / axis.low, t) : axis.low + t * (axis.high - axis.low);
  const shown = v => Number(v.toPrecision(4)).toString();
  const make = (name, attributes, ...children) => {
    const node = document.createElement(name);
    for (const [key, v] of Object.entries(attributes)) node.setAttribute(key, v);
    node.append(...children);
    return node;
  };

  // A drawing with its axes: places on paper and values are one as good as the other.
  class Picture {
    constructor(figure, record) {
      this.figure = figure;
      this.svg = figure.querySelector("svg");
      [this.left, this.top, this.right, this.bottom] = record.box;
      this.x = record.x;
      this.y = record.y;
      this.over = this.svg.appendChild(document.createElementNS(SVG, "g"));
      this.over.setAttribute("class", "over");
    }
    place(x, y) {
      return [this.left + unit(this.x, x) * (this.right - this.left), this.bottom + unit(this.y, y) * (this.top - this.bottom)];
    }
    values(event) {
      const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
      const [s, t] = [(p.x - this.left) / (this.right - this.left), (p.y - this.bottom) / (this.top - this.bottom)];
      return s < 0 || s > 1 || t < 0 || t > 1 ? null : [value(this.x, s), value(this.y, t)];
    }
    clear() { this.over.replaceChildren(); }
    line(x0, y0, x1, y1, kind = "cross") {
      const line = document.createElementNS(SVG, "line");
      for (const [key, v] of Object.entries({ x1: x0, y1: y0, x2: x1, y2: y1, class: kind })) line.setAttribute(key, v);
      this.over.append(line);
    }
    dot(x, y) {
      const dot = document.createElementNS(SVG, "circle");
      for (const [key, v] of Object.entries({ cx: x, cy: y, r: 3.4, class: "dot" })) dot.setAttribute(key, v);
      this.over.append(dot);
    }
    across(x) {
      const [px] = this.place(x, this.y.low);
      if (px >= this.left - 1e-6 && px <= this.right + 1e-6) this.line(px, this.top, px, this.bottom);
      return px;
    }
  }

  class Group {
    constructor(section, about) {
      this.section = section;
      this.about = about;
      this.pictures = about.drawings.map(d => ({ ...d, picture: new Picture(document.getElementById(d.id), d) }));
      this.map = this.pictures.find(d => d.role === "map");
      this.diagrams = this.pictures.filter(d => d.role === "diagram");
      this.values = about.window.map(axis => value(axis, 0.5));
      this.face = null;
      this.pinned = null;
      this.readout = section.querySelector(".readout");
      this.readout.hidden = false;
      this.where = this.readout.appendChild(make("output", {}));
      this.sliders = about.names.map((name, k) => this.slider(name, k));
      this.said = this.readout.appendChild(make("p", { "aria-live": "polite", class: "said" }));
      if (about.rates) this.readout.append(make("p", { class: "note" }, this.fineprint()));
      this.regimes();
      for (const d of this.diagrams) this.listen(d, at => this.along(d, at[0]));
      if (this.map) this.listen(this.map, at => this.move(about.names.map((_, k) => at[k])));
      const first = section.querySelector(".card.first") || section.querySelector(".card");
      if (first) this.pin(first.dataset.regime, false);
      this.where.textContent = "Move over the map or the diagram, or use the sliders.";
    }
    fineprint() {
      const { along } = this.about.rates;
      const grid = this.about.names.map(() => along).join(" × ");
      return "What is called interpolated lies linearly between " + grid + " computed places; on the line of a diagram the nearest computed point speaks. The cards and tables hold computed values only.";
    }
    slider(name, k) {
      const axis = this.about.window[k];
      const input = make("input", { type: "range", min: 0, max: 1000, value: 500, "aria-label": name });
      this.readout.append(make("label", {}, make("span", {}, name), input));
      input.addEventListener("input", () => {
        const next = [...this.values];
        next[k] = value(axis, input.value / 1000);
        this.move(next, input);
      });
      return input;
    }
    listen(d, tell) {
      const { picture } = d;
      picture.svg.addEventListener("pointermove", event => { const at = picture.values(event); if (at) tell(at); });
      picture.svg.addEventListener("click", event => {
        const at = picture.values(event);
        if (!at) return;
        tell(at);
        if (this.face !== null) this.pin(this.face, true);
      });
    }
    // Regimes, wherever they are shown: in the map, the graph, the tables.
    regimes() {
      for (const node of this.section.querySelectorAll("[data-regime]")) {
        const number = node.dataset.regime;
        if (node.classList.contains("card")) continue;
        node.addEventListener("pointerenter", () => this.light(number));
        node.addEventListener("pointerleave", () => this.light(this.face));
        const inside = node.closest("svg");
        if (inside && !(this.map && inside === this.map.picture.svg)) node.addEventListener("click", () => this.pin(number, true));
        if (node.matches("tr")) node.addEventListener("click", () => this.pin(number, true));
        if (!inside) continue;
        node.setAttribute("tabindex", "0");
        node.setAttribute("role", "button");
        node.setAttribute("aria-label", this.about.faces[number] || "regime " + number);
        node.addEventListener("focus", () => this.light(number));
        node.addEventListener("keydown", event => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          this.pin(number, true);
        });
      }
      for (const node of this.section.querySelectorAll("[data-border]")) {
        const same = [...this.section.querySelectorAll(`[data-border="${node.dataset.border}"]`)];
        node.addEventListener("pointerenter", () => same.forEach(n => n.classList.add("lit")));
        node.addEventListener("pointerleave", () => same.forEach(n => n.classList.remove("lit")));
      }
    }
    faceAt() {
      if (!this.map) return null;
      const { picture } = this.map;
      const y = this.values.length > 1 ? this.values[1] : value(picture.y, 0.5);
      const at = new DOMPoint(...picture.place(this.values[0], y));
      for (const node of picture.svg.querySelectorAll("[data-regime]"))
        for (const path of node.querySelectorAll("path"))
          if (path.isPointInFill(at)) return node.dataset.regime;
      return null;
    }
    light(number) {
      for (const node of this.section.querySelectorAll(".lit[data-regime]")) node.classList.remove("lit");
      if (number === null) return;
      for (const node of this.section.querySelectorAll(`[data-regime="${CSS.escape(number)}"]`)) node.classList.add("lit");
    }
    along(d, x) {
      // A place on a diagram is one on its line through the map.
      const line = d.about.lines[0];
      this.move(this.about.names.map((name, k) => name === d.about.parameter ? x : line.fixed[name] ?? this.values[k]));
    }
    move(values, source = null) {
      this.values = values;
      this.sliders.forEach((input, k) => {
        const t = Math.min(1, Math.max(0, unit(this.about.window[k], values[k])));
        if (input !== source) input.value = Math.round(1000 * t);
        input.setAttribute("aria-valuetext", this.about.names[k] + " = " + shown(values[k]));
      });
      this.face = this.faceAt();
      this.light(this.face);
      const words = [this.about.names.map((name, k) => name + " = " + shown(values[k])).join(", ")];
      if (this.face !== null) words.push(this.about.faces[this.face]);
      const rate = this.rate();
      if (rate !== null) words.push((this.about.kind === "map" ? "slowest multiplier" : "slowest eigenvalue") + " about " + shown(rate) + " (interpolated)");
      this.cross();
      for (const d of this.diagrams) words.push(...this.mark(d));
      this.where.textContent = words.filter(Boolean).join("; ");
    }
    // Between the places of the grid linearly; beside places where nothing attracts, that of the nearest one.
    rate() {
      const { rates } = this.about;
      if (!rates) return null;
      const last = rates.along - 1;
      const at = this.values.map((v, k) => Math.min(last, Math.max(0, unit(this.about.window[k], v) * last)));
      const of = places => rates.values[places.reduce((sum, k) => sum * rates.along + k, 0)];
      let corners = [[[], 1]];
      for (const t of at) {
        const low = Math.min(last - 1, Math.floor(t));
        corners = corners.flatMap(([places, weight]) => [[[...places, low], weight * (1 - t + low)], [[...places, low + 1], weight * (t - low)]]);
      }
      const found = corners.map(([places, weight]) => [of(places), weight]);
      if (found.some(([v]) => v === null)) return of(at.map(t => Math.round(t)));
      return found.reduce((sum, [v, weight]) => sum + v * weight, 0);
    }
    cross() {
      if (!this.map) return;
      const { picture } = this.map;
      picture.clear();
      for (const d of this.diagrams) this.cut(picture, d.about);
      const px = picture.across(this.values[0]);
      if (this.values.length < 2) return;
      const [, py] = picture.place(this.values[0], this.values[1]);
      picture.line(picture.left, py, picture.right, py);
      picture.dot(px, py);
    }
    cut(picture, about) {
      // The line through the map along which a diagram is drawn.
      const [first, second] = this.about.names;
      if (!second) return;
      const line = about.lines[0];
      if (about.parameter === first && second in line.fixed) {
        const [, py] = picture.place(picture.x.low, line.fixed[second]);
        picture.line(picture.left, py, picture.right, py, "cut");
      } else if (about.parameter === second && first in line.fixed) {
        const [px] = picture.place(line.fixed[first], picture.y.low);
        picture.line(px, picture.top, px, picture.bottom, "cut");
      }
    }
    mark(d) {
      const { picture, about } = d;
      const x = this.values[this.about.names.indexOf(about.parameter)];
      picture.clear();
      const px = picture.across(x);
      let words = [];
      about.lines.forEach((line, number) => {
        let best = -1, least = Infinity;
        line.at.forEach((v, k) => { const far = Math.abs(unit(picture.x, v) - unit(picture.x, x)); if (far < least) { least = far; best = k; } });
        if (best < 0 || least > 0.05) return;
        if (line.drawn[best] !== null) {
          const [, py] = picture.place(line.at[best], line.drawn[best]);
          if (py >= picture.top - 2 && py <= picture.bottom + 2) picture.dot(px, py);
        }
        if (number !== 0 || !line.leading.length) return;
        const other = this.about.names.filter(name => name !== about.parameter && name in line.fixed);
        const held = other.map(name => name + " = " + shown(line.fixed[name])).join(", ");
        const spectrum = (this.about.kind === "map" ? "multipliers " : "eigenvalues ") + line.leading[best];
        words = ["on the line of the diagram" + (held ? ", " + held : "") + ": " + (line.stable[best] ? "stable" : "unstable") + ", " + spectrum];
      });
      // Two diagrams along the same line say the same.
      return d === this.diagrams[0] ? words : [];
    }
    pin(number, speak) {
      this.pinned = number;
      for (const node of this.section.querySelectorAll("[data-regime]")) {
        const mine = node.dataset.regime === number;
        node.classList.toggle("pinned", mine);
        if (node.getAttribute("role") === "button") node.setAttribute("aria-pressed", String(mine));
      }
      if (speak) this.said.textContent = "Chosen: " + (this.about.faces[number] || "regime " + number) + ".";
    }
  }

  page.groups.forEach((about, k) => new Group(document.getElementById("map-" + k), about));

  // Tables that sort: a head is a button, pressed again it turns the order round.
  const key = text => {
    const t = text.trim().replace("−", "-");
    const number = /(?:^|= )(-?\d+(?:\.\d*)?(?:e[-+]?\d+)?)/i.exec(t);
    return number ? parseFloat(number[1]) : t.toLowerCase();
  };
  const order = (a, b) => {
    if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  };
  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    if (!table.tHead || !body || body.rows.length < 3) continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = make("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].map((row, k) => [key(row.cells[column].textContent), k, row]);
        rows.sort((a, b) => (a[0] === "" || b[0] === "" ? order(a[0], b[0]) : (down ? -1 : 1) * order(a[0], b[0])) || a[1] - b[1]);
        body.append(...rows.map(r => r[2]));
      });
    });
  }
})();
