"use strict";
// From the packed numbers of `pack.py` to ways that can be asked for a pose at any time.

const SCALES = { x: 100, y: 100, heading: 1000, speed: 100, visible_fraction: 10, age_s: 100 };
const GHOST_S = 10; // what was last seen longer ago is not drawn
const FAR_HIDDEN_M = 250; // farther away nothing counts as out of sight

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function summed(differences, scale) {
  const values = new Float64Array(differences.length);
  let sum = 0;
  for (let i = 0; i < differences.length; i++) values[i] = (sum += differences[i]) / scale;
  return values;
}

function unpackRoad(lanes) {
  const points = (pair) => {
    const x = summed(pair[0], 100), y = summed(pair[1], 100);
    return Array.from(x, (value, i) => [value, y[i]]);
  };
  return lanes.map((lane) => ({ left: points(lane.left), right: points(lane.right), lines: lane.lines }));
}

// One actor's way without gaps: a sample for each decision from `from` to `to`.
class Track {
  constructor(packed) {
    this.id = packed.id;
    this.kind = packed.kind;
    [this.length, this.width] = packed.size;
    this.from = packed.from;
    this.crashed = packed.crashed;
    for (const name in SCALES) this[name] = summed(packed[name], SCALES[name]);
    this.decoded = packed.decoded_x ? [packed.decoded_x, packed.decoded_y] : null;
    this.ghosts = packed.ghost_x ? [packed.ghost_x, packed.ghost_y, packed.ghost_heading] : null;
    this.to = this.from + this.x.length - 1;
  }

  covers(step) {
    return step >= this.from && step <= this.to;
  }

  // Where the driver's tracker placed it at a decision, or null.
  ghostAt(step) {
    const [x, y, heading] = this.ghosts ? this.ghosts.map((column) => column[step - this.from]) : [null];
    return x === null ? null : { x, y, heading };
  }

  // Pose at a time in decisions, or null. Between decisions the way is a cubic through both
  // velocities, unless the actor was put elsewhere (then it is a straight line).
  at(time, dt) {
    if (time < this.from || time > this.to) return null;
    const i = Math.min(Math.floor(time) - this.from, this.x.length - 1);
    const j = Math.min(i + 1, this.x.length - 1), u = time - this.from - i;
    if (u === 0 || i === j) return { x: this.x[i], y: this.y[i], heading: this.heading[i], speed: this.speed[i] };
    const speed = this.speed[i] + (this.speed[j] - this.speed[i]) * u;
    const heading = this.heading[i] + (this.heading[j] - this.heading[i]) * u;
    const moved = Math.hypot(this.x[j] - this.x[i], this.y[j] - this.y[i]);
    const expected = (Math.abs(this.speed[i]) + Math.abs(this.speed[j])) * dt / 2;
    const blend = Math.abs(moved - expected) < 0.3 * expected + 0.2 ? hermite : linear;
    return {
      x: blend(this.x[i], this.x[j], this.speed[i] * Math.cos(this.heading[i]) * dt, this.speed[j] * Math.cos(this.heading[j]) * dt, u),
      y: blend(this.y[i], this.y[j], this.speed[i] * Math.sin(this.heading[i]) * dt, this.speed[j] * Math.sin(this.heading[j]) * dt, u),
      heading, speed,
    };
  }
}

function linear(a, b, _va, _vb, u) {
  return a + (b - a) * u;
}

function hermite(a, b, va, vb, u) {
  const u2 = u * u, u3 = u2 * u;
  return (2 * u3 - 3 * u2 + 1) * a + (u3 - 2 * u2 + u) * va + (3 * u2 - 2 * u3) * b + (u3 - u2) * vb;
}

// Of what is told as [first decision, what], where it changes: what holds at a decision.
function inForce(runs, step, before) {
  let told = before;
  for (const [from, what] of runs) if (from <= step) told = what;
  return told;
}

// One driver's episode.
class Side {
  constructor(packed, dt) {
    Object.assign(this, packed);
    this.dt = dt;
    this.tracks = packed.tracks.map((track) => new Track(track));
    this.ego = this.tracks.find((track) => track.id === 0);
    this.last = this.ego.to; // number of the last decision
    this.darkSteps = new Set(packed.dark);
  }

  // What to say of a decision in a few words.
  caption(step) {
    return inForce(this.captions, step, "");
  }

  // Pairs of a junction and a number: the places that the last cue named.
  namedAt(step) {
    return inForce(this.named, step, []);
  }

  // What a probe of the memory reads of the cue, beside the truth; "" where there is none.
  readAt(step) {
    return this.latents.filter(({ decoded }) => decoded[step] !== null).map(({ what, kinds, names, value, decoded, confidence }) => {
      const call = (number) => names[number] || String(number), wrong = kinds && value[step] !== decoded[step];
      const sure = confidence[step] === null ? "" : ` (${confidence[step].toFixed(2)})`;
      return `${what}: ${call(value[step])}; memory says: ${call(decoded[step])}${sure}${wrong ? ", wrong" : ""}`;
    }).join(" · ");
  }

  nameOf(track) {
    return this.names[track.id] || `${track.length > 7.5 ? "truck" : "car"} ${track.id}`;
  }

  // Actors at a decision: what is perceived, and for the others where they were last seen.
  actors(step) {
    const found = [];
    for (const track of this.tracks) {
      if (track === this.ego || !track.covers(step)) continue;
      const age = track.age_s[step - track.from];
      const seen = age >= 0 && age <= this.latency + 0.005;
      found.push({ track, seen, age, ghost: seen || age < 0 ? null : this.lastSeen(track, step, age) });
    }
    return found;
  }

  // A driver behind a tracker is shown where that places an actor (with perfect recall where it is),
  // which is what the picture then says.
  lastSeen(track, step, age) {
    if (this.recalls) return track.at(step, this.dt);
    if (this.tracked) return track.ghostAt(step);
    if (age > GHOST_S) return null;
    const when = step - Math.round(age / this.dt);
    for (const other of this.tracks) {
      if (other.id === track.id && other.covers(when)) return other.at(when, this.dt);
    }
    return null;
  }

  // For each decision: distance to the nearest actor out of sight, m; null if there is none.
  hiddenDistances() {
    const distances = [];
    for (let step = 0; step <= this.last; step++) {
      const me = this.ego.at(step, this.dt);
      let least = null;
      for (const { track, seen } of this.actors(step)) {
        if (seen || track.kind === 2) continue;
        const i = step - track.from;
        const distance = Math.hypot(track.x[i] - me.x, track.y[i] - me.y);
        if (distance < FAR_HIDDEN_M && (least === null || distance < least)) least = distance;
      }
      distances.push(least);
    }
    return distances;
  }

  actionLabel(step) {
    const action = this.steps.action[step];
    if (action === undefined) return null;
    if (Array.isArray(action)) return action.map((value) => value.toFixed(2)).join(", ");
    return this.labels[action] || `action ${action}`;
  }
}

class Episode {
  constructor(packed, roads) {
    this.dt = packed.dt;
    this.road = unpackRoad(roads[packed.road]);
    this.occluders = packed.occluders;
    this.blockers = packed.blockers;
    this.sectors = packed.sectors;
    this.extent = packed.extent; // of the views that drivers may be shown, m
    this.view = packed.view; // what a camera that stands still must show: left, top, right, bottom, m
    this.places = packed.places; // lanes that a cue can name, by junction; null where it names none
    this.wide = packed.wide;
    this.focus = new Set(packed.focus); // the actors that the episode is about
    this.sides = packed.sides.map((side) => new Side(side, packed.dt));
    this.last = Math.max(...this.sides.map((side) => side.last));
  }
}

if (typeof module !== "undefined") module.exports = { Track, Side, Episode, summed, unpack, unpackRoad };
