"use strict";
// Drawing one driver's world: road, traffic, shadows, what was last seen.

class Scene {
  constructor(canvas, side, episode, number) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.side = side;
    this.episode = episode;
    this.number = number;
    this.veil = document.createElement("canvas");
  }

  resize() {
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    for (const canvas of [this.canvas, this.veil]) {
      canvas.width = Math.round(this.width * ratio);
      canvas.height = Math.round(this.height * ratio);
    }
    this.ratio = ratio;
  }

  // colours: from the stylesheet; view: {scale px/m, x, y (centre, m)}; layers: {truth, sees, remembers, shown}.
  draw(time, view, layers, colours) {
    const { context: c, side } = this;
    const now = Math.min(time, side.last), step = Math.floor(now + 1e-6);
    const me = side.ego.at(now, side.dt);
    this.view = view;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.fillStyle = colours.ground;
    c.fillRect(0, 0, this.width, this.height);
    this.toWorld(c);
    this.drawRoad(c, colours);
    this.drawTrail(c, now, colours);
    const actors = side.actors(step).map((actor) => ({ ...actor, pose: actor.track.at(now, side.dt) || actor.track.at(step, side.dt) }));
    const dark = layers.sees && side.darkSteps.has(step);
    if (layers.sees) this.drawVeil(c, me, actors, colours, dark);
    this.drawOccluders(c, colours);
    if (this.episode.places) {
      c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      drawPlaces(c, this, this.episode.places, side.namedAt(step), colours);
      this.toWorld(c);
    }
    if (layers.shown && side.shown) drawShown(c, side, this.episode.extent, step, this.view.scale, colours);
    for (const actor of actors) this.drawActor(c, actor, step, layers, colours);
    if (layers.remembers) for (const actor of actors) this.drawGhost(c, actor, layers, colours);
    if (layers.remembers) for (const actor of actors) this.drawDecoded(c, actor, step, colours);
    this.drawContact(c, actors, layers, colours);
    const crashed = side.ego.crashed >= 0 && step >= side.ego.crashed;
    this.drawCar(c, { ...me, length: side.ego.length, width: side.ego.width }, colours.sides[this.number], colours);
    if (crashed) this.drawCrash(c, me, colours);
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    for (const actor of actors) this.drawBeyond(c, actor, me, layers, colours);
    this.drawScaleBar(c, colours);
    this.drawCue(c, step, layers, colours);
    if (dark) this.drawNote(c, "no sight", colours);
  }

  toWorld(c) {
    const { scale, x, y } = this.view, r = this.ratio;
    c.setTransform(r * scale, 0, 0, r * scale, r * (this.width / 2 - x * scale), r * (this.height / 2 - y * scale));
  }

  polygon(c, points) {
    c.beginPath();
    points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
    c.closePath();
  }

  drawRoad(c, colours) {
    c.fillStyle = c.strokeStyle = colours.road;
    c.lineWidth = 0.15; // closes hairlines between neighbouring lanes
    for (const lane of this.episode.road) {
      this.polygon(c, lane.left.concat(lane.right.slice().reverse()));
      c.fill();
      c.stroke();
    }
    for (const lane of this.episode.road) {
      this.drawLine(c, lane.left, lane.lines[0], colours);
      this.drawLine(c, lane.right, lane.lines[1], colours);
    }
  }

  drawLine(c, points, kind, colours) {
    if (kind === "none") return;
    c.strokeStyle = kind === "striped" ? colours.paint : colours.paintEdge;
    c.lineWidth = Math.max(0.22, 1 / this.view.scale);
    for (const part of this.visibleParts(points)) {
      c.setLineDash(kind === "striped" ? [3, 4.5] : []);
      c.lineDashOffset = part.offset;
      c.beginPath();
      part.points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
      c.stroke();
    }
    c.setLineDash([]);
  }

  // Dashing a road of kilometres is slow: long straight pieces are cut to what is shown.
  visibleParts(points) {
    if (points.length !== 2) return [{ points, offset: 0 }];
    const [a, b] = points, length = Math.hypot(b[0] - a[0], b[1] - a[1]);
    const reach = Math.hypot(this.width, this.height) / this.view.scale;
    if (length < 3 * reach) return [{ points, offset: 0 }];
    const ux = (b[0] - a[0]) / length, uy = (b[1] - a[1]) / length;
    const middle = (this.view.x - a[0]) * ux + (this.view.y - a[1]) * uy;
    const from = Math.max(0, middle - reach), to = Math.min(length, middle + reach);
    if (from >= to) return [];
    return [{ points: [[a[0] + ux * from, a[1] + uy * from], [a[0] + ux * to, a[1] + uy * to]], offset: from }];
  }

  drawTrail(c, now, colours) {
    const { ego } = this.side;
    c.strokeStyle = colours.sides[this.number];
    c.lineWidth = Math.max(0.35, 2 / this.view.scale);
    c.lineJoin = c.lineCap = "round";
    c.globalAlpha = 0.55;
    c.beginPath();
    for (let i = 0; i <= now; i++) c.lineTo(ego.x[i], ego.y[i]);
    const tip = ego.at(now, this.side.dt);
    c.lineTo(tip.x, tip.y);
    c.stroke();
    c.globalAlpha = 1;
    c.lineCap = "butt";
  }

  // The outline of what one sensor reaches.
  sector(c, { x, y, heading }, { centre_deg, width_deg, range_m }) {
    const middle = heading + centre_deg * Math.PI / 180, half = width_deg * Math.PI / 360;
    c.beginPath();
    if (width_deg < 360) c.moveTo(x, y);
    c.arc(x, y, range_m || FAR_M, middle - half, middle + half);
    c.closePath();
  }

  // All that is out of sight, as one even veil.
  drawVeil(c, me, actors, colours, dark) {
    const v = this.veil.getContext("2d"), { blockers, sectors } = this.episode;
    v.setTransform(1, 0, 0, 1, 0, 0);
    v.clearRect(0, 0, this.veil.width, this.veil.height);
    this.toWorld(v);
    v.fillStyle = colours.shade;
    const everything = () => {
      v.save();
      v.setTransform(1, 0, 0, 1, 0, 0);
      v.fillRect(0, 0, this.veil.width, this.veil.height);
      v.restore();
    };
    if (dark) everything();
    else if (sectors.length) {
      everything();
      v.globalCompositeOperation = "destination-out";
      for (const sector of sectors) {
        this.sector(v, me, sector);
        v.fill();
      }
      v.globalCompositeOperation = "source-over";
    }
    const boxes = blockers.includes("occluders") ? this.episode.occluders.slice() : [];
    if (blockers.includes("actors")) {
      for (const { track, pose } of actors) {
        if (track.kind !== 2) boxes.push([pose.x, pose.y, pose.heading, track.length, track.width]);
      }
    }
    for (const box of boxes) {
      const shape = shadowOf(me.x, me.y, box);
      if (shape) {
        this.polygon(v, shape);
        v.fill();
      }
    }
    c.save();
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.globalAlpha = dark ? Math.min(0.88, colours.shadeStrength * 1.7) : colours.shadeStrength;
    c.drawImage(this.veil, 0, 0);
    c.restore();
  }

  drawOccluders(c, colours) {
    for (const box of this.episode.occluders) {
      this.polygon(c, boxCorners(...box));
      c.fillStyle = colours.building;
      c.fill();
      c.strokeStyle = colours.buildingEdge;
      c.lineWidth = Math.max(0.3, 1.5 / this.view.scale);
      c.stroke();
    }
  }

  drawActor(c, { track, seen, pose }, step, layers, colours) {
    const car = { ...pose, length: track.length, width: track.width };
    if (seen || !layers.sees) {
      const crashed = track.crashed >= 0 && step >= track.crashed;
      if (track.kind === 2) this.drawFrame(c, car, colours.paintEdge, []);
      else this.drawCar(c, car, crashed ? colours.crash : track.kind === 1 ? colours.meh : colours.car, colours, track.kind === 0);
    } else if (layers.truth) this.drawFrame(c, car, colours.hidden, [1, 0.7]);
  }

  drawCar(c, { x, y, heading, length, width }, colour, colours, drives = true) {
    c.save();
    c.translate(x, y);
    c.rotate(heading);
    c.fillStyle = colour;
    c.strokeStyle = colours.card;
    c.lineWidth = 0.25;
    c.beginPath();
    if (c.roundRect) c.roundRect(-length / 2, -width / 2, length, width, Math.min(0.6, width / 4));
    else c.rect(-length / 2, -width / 2, length, width);
    c.fill();
    c.stroke();
    if (drives && length > 2) {
      c.fillStyle = colours.glass;
      c.beginPath();
      c.moveTo(length * 0.1, -width * 0.36);
      c.lineTo(length * 0.26, -width * 0.3);
      c.lineTo(length * 0.26, width * 0.3);
      c.lineTo(length * 0.1, width * 0.36);
      c.fill();
    }
    c.restore();
  }

  drawFrame(c, { x, y, heading, length, width }, colour, dash) {
    this.polygon(c, boxCorners(x, y, heading, length, width));
    c.strokeStyle = colour;
    c.lineWidth = Math.max(0.4, 1.8 / this.view.scale);
    c.setLineDash(dash);
    c.stroke();
    c.setLineDash([]);
  }

  drawGhost(c, { track, ghost, age, pose }, layers, colours) {
    if (!ghost) return;
    c.globalAlpha = Math.max(0.35, 1 - age / GHOST_S);
    if (layers.truth) {
      c.strokeStyle = colours.ghost;
      c.lineWidth = Math.max(0.15, 1 / this.view.scale);
      c.setLineDash([0.6, 0.9]);
      c.beginPath();
      c.moveTo(ghost.x, ghost.y);
      c.lineTo(pose.x, pose.y);
      c.stroke();
      c.setLineDash([]);
    }
    this.polygon(c, boxCorners(ghost.x, ghost.y, ghost.heading, track.length, track.width));
    c.fillStyle = colours.ghostFill;
    c.fill();
    this.drawFrame(c, { ...ghost, length: track.length, width: track.width }, colours.ghost, []);
    const { focus } = this.episode; // elsewhere labels would hide each other
    if (!focus.size || focus.has(track.id)) this.label(c, `seen ${age.toFixed(1)} s ago`, { ...ghost, length: track.length, width: track.width }, colours.ghost, colours, track.id === this.side.contact);
    c.globalAlpha = 1;
  }

  // Where a probe of the memory places a hidden actor, and how far off that is.
  drawDecoded(c, { track, seen, pose }, step, colours) {
    if (seen || !track.decoded) return;
    const i = step - track.from, x = track.decoded[0][i], y = track.decoded[1][i];
    if (x === null || y === null) return;
    c.strokeStyle = colours.ink;
    c.lineWidth = Math.max(0.2, 1.2 / this.view.scale);
    c.beginPath();
    c.moveTo(pose.x, pose.y);
    c.lineTo(x, y);
    c.moveTo(x + 0.9, y);
    c.arc(x, y, 0.9, 0, 2 * Math.PI);
    c.stroke();
    this.label(c, `memory: ${Math.hypot(pose.x - x, pose.y - y).toFixed(1)} m off`, { x, y, heading: pose.heading, length: 2, width: 2 }, colours.ink, colours, true);
  }

  toScreen(x, y) {
    const { scale } = this.view;
    return [this.width / 2 + (x - this.view.x) * scale, this.height / 2 + (y - this.view.y) * scale];
  }

  // Words beside a box: above or below it, or to its right if it stands upright.
  label(c, text, box, colour, colours, below = false) {
    const { scale } = this.view, [px, py] = this.toScreen(box.x, box.y);
    if (px < 0 || px > this.width || py < 0 || py > this.height) return;
    const upright = Math.abs(Math.sin(box.heading || 0)) > 0.7, half = (upright ? box.length : box.width) / 2 * scale;
    c.save();
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.font = "600 11px system-ui, 'DejaVu Sans', sans-serif";
    c.textAlign = "center";
    c.lineWidth = 3;
    c.strokeStyle = colours.ground;
    const at = upright ? py + (below ? 18 : 4) : below ? py + half + 14 : py - half - 5;
    const wide = c.measureText(text).width, x = upright ? px + box.width / 2 * scale + wide / 2 + 6 : px;
    const left = clamp(x, wide / 2 + 3, this.width - wide / 2 - 3);
    c.strokeText(text, left, at);
    c.fillStyle = colour;
    c.fillText(text, left, at);
    c.restore();
  }

  // An arrow at the edge towards an actor that matters and is outside of the picture.
  drawBeyond(c, { track, seen, pose }, me, layers, colours) {
    if (!this.episode.focus.has(track.id) || !(seen || layers.truth || !layers.sees)) return;
    const [px, py] = this.toScreen(pose.x, pose.y), inset = 16;
    if (px > 0 && px < this.width && py > 0 && py < this.height) return;
    const x = clamp(px, inset, this.width - inset), y = clamp(py, inset + 30, this.height - inset);
    const away = Math.hypot(pose.x - me.x, pose.y - me.y).toFixed(0), hidden = layers.sees && !seen;
    c.save();
    c.fillStyle = hidden ? colours.hidden : colours.car;
    c.translate(x, y);
    c.rotate(Math.atan2(py - y, px - x));
    c.beginPath();
    c.moveTo(10, 0);
    c.lineTo(-6, -7);
    c.lineTo(-6, 7);
    c.fill();
    c.restore();
    c.font = "600 11px system-ui, 'DejaVu Sans', sans-serif";
    c.textAlign = x > this.width / 2 ? "right" : "left";
    c.lineWidth = 3;
    c.strokeStyle = colours.ground;
    c.fillStyle = hidden ? colours.hidden : colours.car;
    const words = `${this.side.nameOf(track)}${hidden ? ", out of sight" : ""}, ${away} m`, left = x + (x > this.width / 2 ? -14 : 14);
    c.strokeText(words, left, y + 4);
    c.fillText(words, left, y + 4);
  }

  drawCrash(c, { x, y }, colours) {
    c.strokeStyle = colours.crash;
    c.lineWidth = Math.max(0.5, 2.5 / this.view.scale);
    c.beginPath();
    for (let i = 0; i < 12; i++) {
      const a = i * Math.PI / 6, r = i % 2 ? 4.6 : 5.6;
      c.moveTo(x + 3.6 * Math.cos(a), y + 3.6 * Math.sin(a));
      c.lineTo(x + r * Math.cos(a), y + r * Math.sin(a));
    }
    c.stroke();
  }

  // A ring around the car that the ego will hit.
  drawContact(c, actors, layers, colours) {
    const hit = actors.find(({ track }) => track.id === this.side.contact);
    if (!hit || hit.track.kind !== 0 || !(hit.seen || layers.truth || !layers.sees)) return;
    c.strokeStyle = colours.crash;
    c.lineWidth = Math.max(0.3, 1.6 / this.view.scale);
    c.beginPath();
    c.arc(hit.pose.x, hit.pose.y, hit.track.length * 0.72, 0, 2 * Math.PI);
    c.stroke();
    const size = hit.track.length * 1.44;
    this.label(c, this.side.nameOf(hit.track), { ...hit.pose, length: size, width: size }, colours.crash, colours);
  }

  // The sign, while it is shown; afterwards, what it was.
  drawCue(c, step, layers, colours) {
    const cues = this.side.steps.cue;
    if (!cues) return;
    let at = Math.min(step, cues.length - 1);
    const shown = (i) => cues[i] && cues[i].some((value) => value !== 0), now = shown(at);
    if (!now && !layers.remembers) return;
    while (at > 0 && !shown(at)) at--;
    if (!shown(at)) return;
    const size = 16, left = this.width - 14 - cues[at].length * (size + 4);
    c.font = "600 12px system-ui, 'DejaVu Sans', sans-serif";
    c.textAlign = "right";
    c.fillStyle = c.strokeStyle = now ? colours.ink : colours.ghost;
    c.lineWidth = 1.5;
    c.fillText(now ? "sign" : "sign was", left - 6, 24);
    cues[at].forEach((value, i) => {
      c.strokeRect(left + i * (size + 4), 11, size, size);
      c.globalAlpha = clamp(value, 0, 1);
      c.fillRect(left + i * (size + 4), 11, size, size);
      c.globalAlpha = 1;
    });
  }

  drawScaleBar(c, colours) {
    const metres = [1, 2, 5, 10, 20, 50, 100].find((m) => m * this.view.scale > 36) || 200;
    const x = 12, y = this.height - 12;
    c.strokeStyle = c.fillStyle = colours.ink;
    c.globalAlpha = 0.65;
    c.lineWidth = 1.5;
    c.beginPath();
    c.moveTo(x, y - 4);
    c.lineTo(x, y);
    c.lineTo(x + metres * this.view.scale, y);
    c.lineTo(x + metres * this.view.scale, y - 4);
    c.stroke();
    c.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    c.textAlign = "left";
    c.fillText(`${metres} m`, x + 4, y - 4);
    c.globalAlpha = 1;
  }

  drawNote(c, text, colours) {
    c.font = "600 13px system-ui, 'DejaVu Sans', sans-serif";
    c.textAlign = "center";
    c.fillStyle = colours.onShade;
    c.fillText(text, this.width / 2, 22);
  }
}
