"use strict";
// Small plots over the decisions of an episode, one line for each driver, all with one cursor.

const PLOT_INSET = { left: 36, right: 6, top: 6, bottom: 16 };

// What can be plotted: a name, its unit, and the numbers of one driver (or null).
const PLOTS = [
  { name: "speed", unit: "m/s", of: (side) => Array.from(side.ego.speed), zero: true },
  { name: "nearest car out of sight", unit: "m", of: (side) => side.hiddenDistances(), zero: true },
  { name: "value", unit: "", of: (side) => side.steps.value || null },
  { name: "entropy", unit: "nat", of: (side) => side.steps.entropy || null, zero: true },
  { name: "change of memory", unit: "", of: (side) => side.steps.memory_change || null, zero: true },
  { name: "size of memory", unit: "", of: (side) => side.steps.memory_norm || null, zero: true },
  { name: "reward so far", unit: "", of: (side) => runningSum(side.steps.reward) },
];

function runningSum(values) {
  let sum = 0;
  return values.map((value) => (value === null ? null : (sum += value)));
}

function rangeOf(lines, zero) {
  let low = zero ? 0 : Infinity, high = zero ? 0 : -Infinity;
  for (const line of lines) {
    for (const value of line || []) {
      if (value === null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return null;
  return high - low < 1e-9 ? [low - 0.5, high + 0.5] : [low, high];
}

class PlotBase {
  constructor(title, last, dt, tall) {
    this.last = Math.max(last, 1);
    this.dt = dt;
    this.figure = element("figure", `plot${tall ? " tall" : ""}`);
    const caption = element("figcaption", "", "");
    this.title = element("span", "", title);
    this.reading = element("span", "reading");
    caption.append(this.title, this.reading);
    this.canvas = element("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${title} over time`);
    this.figure.append(caption, this.canvas);
  }

  // What the plot shows, for those who do not see it.
  say(parts) {
    this.canvas.setAttribute("aria-label", [`${this.title.textContent} over time`, ...parts].join("; "));
  }

  begin() {
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    const wanted = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== wanted[0] || this.canvas.height !== wanted[1]) [this.canvas.width, this.canvas.height] = wanted;
    const c = this.canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, this.width, this.height);
    return c;
  }

  x(step) {
    return PLOT_INSET.left + step / this.last * (this.width - PLOT_INSET.left - PLOT_INSET.right);
  }

  stepAt(px) {
    const step = (px - PLOT_INSET.left) / (this.width - PLOT_INSET.left - PLOT_INSET.right) * this.last;
    return Math.min(this.last, Math.max(0, Math.round(step)));
  }

  // The axis of time below, and what stands at the top and the bottom of the other one.
  axes(c, colours, top, bottom) {
    c.font = "10px system-ui, 'DejaVu Sans', sans-serif";
    c.fillStyle = colours.quiet;
    const { left, right } = PLOT_INSET, low = this.height - PLOT_INSET.bottom;
    c.textBaseline = "top";
    c.textAlign = "left";
    c.fillText("0", left, low + 4);
    c.textAlign = "center";
    c.fillText("time, s", (left + this.width - right) / 2, low + 4);
    c.textAlign = "right";
    c.fillText((this.last * this.dt).toFixed(1), this.width - right, low + 4);
    c.textBaseline = "middle";
    c.fillText(top, left - 5, PLOT_INSET.top + 2);
    c.fillText(bottom, left - 5, low - 2);
    c.textBaseline = "alphabetic";
  }

  cursor(c, time, colours) {
    c.strokeStyle = colours.ink;
    c.globalAlpha = 0.6;
    c.lineWidth = 1;
    c.beginPath();
    c.moveTo(this.x(time), 2);
    c.lineTo(this.x(time), this.height - PLOT_INSET.bottom + 2);
    c.stroke();
    c.globalAlpha = 1;
  }
}

class LinePlot extends PlotBase {
  constructor(plot, sides, last, names) {
    super(plot.unit ? `${plot.name}, ${plot.unit}` : plot.name, last, sides[0].dt);
    this.lines = sides.map((side) => plot.of(side));
    this.range = rangeOf(this.lines, plot.zero);
    this.names = names;
    this.say(this.lines.flatMap((line, i) => {
      const range = rangeOf([line]), known = (line || []).filter((value) => value !== null);
      return range ? [`${names[i]}: ${shortNumber(Math.min(...known))} to ${shortNumber(Math.max(...known))}, at the end ${shortNumber(known.at(-1))}`] : [];
    }));
  }

  draw(time, colours) {
    const c = this.begin(), [low, high] = this.range;
    const y = (value) => this.height - PLOT_INSET.bottom - (value - low) / (high - low) * (this.height - PLOT_INSET.top - PLOT_INSET.bottom);
    this.axes(c, colours, shortNumber(high), shortNumber(low));
    c.strokeStyle = colours.edge;
    c.lineWidth = 1;
    for (const value of [low, high]) {
      c.beginPath();
      c.moveTo(PLOT_INSET.left, y(value) + 0.5);
      c.lineTo(this.width - PLOT_INSET.right, y(value) + 0.5);
      c.stroke();
    }
    this.lines.forEach((line, i) => this.drawLine(c, line, y, colours.sides[i]));
    this.cursor(c, time, colours);
    this.read(time);
  }

  drawLine(c, line, y, colour) {
    if (!line) return;
    c.strokeStyle = colour;
    c.lineWidth = 1.8;
    c.lineJoin = "round";
    c.beginPath();
    let gap = true;
    line.forEach((value, step) => {
      if (value === null) gap = true;
      else {
        if (gap) c.moveTo(this.x(step), y(value));
        else c.lineTo(this.x(step), y(value));
        gap = false;
      }
    });
    c.stroke();
  }

  read(time) {
    const step = Math.floor(time + 1e-6);
    const values = this.lines.map((line) => (line ? line[Math.min(step, line.length - 1)] : undefined));
    this.reading.replaceChildren(...values.flatMap((value, i) => (value === undefined ? [] : [element("span", "unseen", `${this.names[i]}:`), element("b", `of-${i}`, value === null ? "–" : shortNumber(value))])));
  }
}

// What the driver chose, or how probable it held each action: a band for each driver.
class ActionPlot extends PlotBase {
  constructor(sides, last, names) {
    const asked = sides.some((side) => side.steps.probs);
    super(asked ? "action probabilities" : "actions", last, sides[0].dt, sides.length > 1);
    this.sides = sides;
    const labels = sides[0].labels;
    this.reading.className = "swatches";
    this.reading.replaceChildren(...labels.map((label, i) => {
      const item = element("span", "", label.toLowerCase().replace("_", " "));
      item.prepend(element("i", `p${i % 5}`));
      return item;
    }));
    this.say(sides.flatMap((side, i) => {
      const chosen = side.steps.action.filter((action) => action !== null);
      const shares = labels.map((label, one) => [label, chosen.filter((action) => action === one).length / chosen.length]);
      const taken = shares.filter(([, share]) => share > 0).sort((a, b) => b[1] - a[1]);
      return taken.length ? [`${names[i]} chooses ${taken.map(([label, share]) => `${label} in ${(share * 100).toFixed(0)} %`).join(", ")} of its decisions`] : [];
    }));
  }

  draw(time, colours) {
    const c = this.begin(), band = (this.height - PLOT_INSET.bottom - 4) / this.sides.length;
    this.axes(c, colours, this.sides.length > 1 ? "" : "1", this.sides.length > 1 ? "" : "0");
    this.sides.forEach((side, row) => {
      const top = 2 + row * (band + 2), height = band - 2;
      c.fillStyle = colours.sides[row];
      c.fillRect(PLOT_INSET.left - 5, top, 2.5, height);
      side.steps.action.forEach((action, step) => {
        if (action === null || Array.isArray(action)) return;
        const probs = (side.steps.probs && side.steps.probs[step]) || [];
        const shares = probs.length ? probs : side.labels.map((_, i) => (i === action ? 1 : 0));
        const left = this.x(step), width = this.x(step + 1) - left + 0.4;
        let y = top + height;
        shares.forEach((share, i) => {
          c.fillStyle = colours.actions[i % 5];
          c.fillRect(left, y - share * height, width, share * height);
          y -= share * height;
        });
      });
    });
    this.cursor(c, time, colours);
  }
}

// Attention of this decision over the frames before it.
class AttentionPlot extends PlotBase {
  constructor(sides, last) {
    super("attention to past decisions", last, sides[0].dt);
    this.sides = sides;
  }

  draw(time, colours) {
    const c = this.begin(), step = Math.floor(time + 1e-6), low = this.height - PLOT_INSET.bottom;
    this.axes(c, colours, "most", "0");
    this.sides.forEach((side, row) => {
      const weights = (side.steps.attention || [])[step] || [];
      const most = Math.max(...weights, 1e-9);
      c.fillStyle = colours.sides[row];
      c.globalAlpha = 0.7;
      weights.forEach((weight, i) => {
        const at = step - (weights.length - 1 - i), width = Math.max(1.5, this.x(1) - this.x(0) - 0.5);
        if (at >= 0) c.fillRect(this.x(at), low, width, -weight / most * (low - PLOT_INSET.top));
      });
      c.globalAlpha = 1;
    });
    this.cursor(c, time, colours);
  }
}

function shortNumber(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function makePlots(sides, last, names) {
  const plots = [];
  for (const plot of PLOTS) {
    const made = new LinePlot(plot, sides, last, names);
    if (made.range && made.lines.some((line) => line && line.some((value) => value !== null))) plots.push(made);
    if (plots.length === 2 && !plots.action && sides[0].labels.length) plots.push((plots.action = new ActionPlot(sides, last, names)));
  }
  if (sides.some((side) => side.steps.attention)) plots.push(new AttentionPlot(sides, last));
  return plots;
}
