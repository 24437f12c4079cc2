"use strict";
// The page: state, controls, and what connects them. All recorded text goes through textContent.

const LAYERS = ["truth", "sees", "remembers", "shown"];

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

const $ = (id) => document.getElementById(id);
const plain = (outcome) => outcome.replaceAll("_", " ");
const kindOf = (outcome) => (outcome === "success" || outcome === "collision" ? outcome : "other");
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

const state = {
  about: null, blobs: [], roads: null, episodes: new Map(), index: 0, episode: null,
  time: 0, playing: false, speed: 1, shortcuts: true, words: "", layers: { truth: true, sees: true, remembers: true, shown: true },
  filter: "all", zoom: 1, pan: [0, 0], scenes: [], plots: [], colours: {}, frame: 0,
};

// ---- colours ---------------------------------------------------------------------------------

function readColours() {
  const style = getComputedStyle(document.documentElement), of = (name) => style.getPropertyValue(`--${name}`).trim();
  const colours = {};
  for (const name of ["ground", "road", "paint", "building", "shade", "car", "crash", "hidden", "ghost", "shown", "ink", "quiet", "edge", "card", "meh"]) colours[name] = of(name);
  Object.assign(colours, {
    paintEdge: of("paint-edge"), buildingEdge: of("building-edge"), ghostFill: of("ghost-fill"),
    shadeStrength: Number(of("shade-strength")), glass: "rgba(255, 255, 255, 0.75)", onShade: "#ffffff",
    sides: ["a", "b", "c"].map(of), actions: [0, 1, 2, 3, 4].map((i) => of(`p${i}`)),
  });
  state.colours = colours;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  readColours();
  redraw();
}

// ---- episodes --------------------------------------------------------------------------------

function showFilters() {
  const { episodes, drivers } = state.about;
  const outcomes = [...new Set(episodes.flatMap((episode) => episode.outcomes))].sort();
  const names = ["all", ...(drivers.length > 1 && episodes.some(differs) ? ["differ"] : []), ...outcomes];
  $("filters").replaceChildren(...names.map((name) => {
    const count = episodes.filter((episode) => passes(episode, name)).length;
    const button = element("button", "filter", `${plain(name)} ${count}`);
    button.type = "button";
    button.dataset.filter = name;
    button.addEventListener("click", () => {
      state.filter = name;
      showEpisodes();
    });
    return button;
  }));
}

const differs = (episode) => new Set(episode.outcomes).size > 1;

function passes(episode, filter) {
  return filter === "all" || (filter === "differ" ? differs(episode) : episode.outcomes.includes(filter));
}

function listed() {
  return state.about.episodes.map((_, i) => i).filter((i) => passes(state.about.episodes[i], state.filter));
}

function showEpisodes() {
  for (const button of $("filters").children) button.setAttribute("aria-pressed", String(button.dataset.filter === state.filter));
  const focused = $("episodes").contains(document.activeElement);
  $("episodes").replaceChildren(...listed().map((i) => {
    const episode = state.about.episodes[i], item = element("li"), button = element("button", "episode");
    button.type = "button";
    const head = element("span", "head");
    head.append(element("b", "", `Episode ${episode.episode}`), element("span", "quiet", `${episode.duration.toFixed(1)} s`));
    button.append(head);
    episode.outcomes.forEach((outcome, side) => {
      const line = element("span", "outcome");
      if (episode.outcomes.length > 1) line.append(element("i", `who side-${side}`), element("span", "unseen", `${state.about.drivers[side].label}:`));
      line.append(element("i", `sign ${kindOf(outcome)}`), element("span", "", plain(outcome)));
      button.append(line);
    });
    if (i === state.index) button.setAttribute("aria-current", "true");
    button.title = `seed ${episode.seed}`;
    button.addEventListener("click", () => open(i, 0));
    item.append(button);
    return item;
  }));
  // What had the focus is gone: the keyboard goes on from the episode that took its place.
  if (focused) document.querySelector(".episode[aria-current]")?.focus();
}

async function open(index, step) {
  state.index = index;
  pause();
  if (!state.episodes.has(index)) state.episodes.set(index, new Episode(await unpack(state.blobs[index + 1]), state.roads));
  if (state.index !== index) return; // another one was chosen meanwhile
  state.episode = state.episodes.get(index);
  state.zoom = 1;
  state.pan = [0, 0];
  showStages();
  showEpisodes();
  showMarks();
  showSigns();
  showPlots();
  $("key-decoded").hidden = !state.episode.sides.some((side) => side.tracks.some((track) => track.decoded));
  $("layer-shown").hidden = !state.episode.sides.some((side) => side.shown);
  const ghosts = new Set(state.episode.sides.map((side) => (side.recalls ? "where perfect recall shows it" : side.tracked ? "where its tracker places it" : "where last seen")));
  $("remembered").textContent = [...ghosts].sort().join(", or ");
  $("scrub").max = state.episode.last;
  seek(step);
  const current = document.querySelector(".episode[aria-current]");
  if (current) bring(current, $("episodes"));
}

// Not scrollIntoView, which would also move the page and the place from which the Tab key goes on.
function bring(item, list) {
  const its = item.getBoundingClientRect(), all = list.getBoundingClientRect();
  const least = (low, high) => Math.min(0, low) + Math.max(0, high);
  list.scrollBy(least(its.left - all.left, its.right - all.right), least(its.top - all.top, its.bottom - all.bottom));
}

// ---- time ------------------------------------------------------------------------------------

const step = () => Math.floor(state.time + 1e-6);

function seek(time) {
  state.time = clamp(time, 0, state.episode.last);
  redraw();
  tell();
}

function play() {
  if (state.time >= state.episode.last) state.time = 0;
  state.playing = true;
  showPlaying();
  let before = performance.now();
  const turn = (now) => {
    if (!state.playing) return;
    // The first frame may be stamped a little before the click that started it.
    state.time += Math.max(0, now - before) / 1000 / state.episode.dt * state.speed;
    before = now;
    if (state.time >= state.episode.last) {
      state.time = state.episode.last;
      pause();
      tell();
    } else requestAnimationFrame(turn);
    redraw();
  };
  requestAnimationFrame(turn);
}

function pause() {
  if (!state.playing) return;
  state.playing = false;
  showPlaying();
  tell();
}

function showPlaying() {
  $("play").classList.toggle("on", state.playing);
  $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
}

function toggle() {
  if (state.playing) {
    pause();
    seek(step());
  } else play();
}

function stepBy(count) {
  pause();
  seek(step() + count);
}

function nextMark(direction) {
  const steps = [...new Set(state.episode.sides.flatMap((side) => side.events.map((event) => event.step)))].sort((a, b) => a - b);
  const found = direction > 0 ? steps.find((s) => s > step()) : steps.reverse().find((s) => s < step());
  if (found !== undefined) {
    pause();
    seek(found);
  }
}

function showMarks() {
  const { sides, last } = state.episode;
  $("marks").className = `marks of-${sides.length}`;
  $("marks").replaceChildren(...sides.flatMap((side, i) => side.events.map((event) => {
    const mark = element("button", `mark ${event.kind} row-${i}`);
    mark.type = "button";
    mark.tabIndex = -1; // the keyboard has , and .
    if (event.kind === "end") {
      mark.classList.add(kindOf(side.outcome));
      mark.append(element("i", `sign ${kindOf(side.outcome)}`));
    } else mark.append(element("i"));
    mark.style.left = `${event.step / last * 100}%`;
    const text = `${(event.step * side.dt).toFixed(1)} s, ${state.about.drivers[i].label}: ${event.text}`;
    mark.title = text;
    mark.setAttribute("aria-label", text);
    mark.addEventListener("click", () => {
      pause();
      seek(event.step);
    });
    return mark;
  })));
}

// What the marks of this episode mean; the end has its sign and word in the stage's heading.
const SIGNS = {
  choice: "the choice that counts", hidden: "goes out of sight", revealed: "comes into sight",
  blackout: "sight fails", sight: "sight is back", cue: "the sign is gone", braking: "brakes hard",
  ttc: "least time to collision",
};

function showSigns() {
  const kinds = new Set(state.episode.sides.flatMap((side) => side.events.map((event) => event.kind)));
  $("signs").replaceChildren(...Object.entries(SIGNS).filter(([kind]) => kinds.has(kind)).map(([kind, text]) => {
    const item = element("span", "", text), mark = element("i", `mark ${kind}`);
    mark.append(element("i"));
    item.prepend(mark);
    return item;
  }));
}

// ---- plots and words -------------------------------------------------------------------------

function showPlots() {
  state.plots = makePlots(state.episode.sides, state.episode.last, state.about.drivers.map((driver) => driver.label));
  $("plots").replaceChildren(...state.plots.map((plot) => {
    const scrub = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      pause();
      seek(plot.stepAt(event.offsetX));
    };
    plot.canvas.addEventListener("pointerdown", scrub);
    plot.canvas.addEventListener("pointermove", scrub);
    return plot.figure;
  }));
}

function sentence(side, at) {
  if (at > side.last) return `ended at ${(side.last * side.dt).toFixed(1)} s: ${plain(side.outcome)}`;
  const parts = [`${(side.ego.speed[at] * 3.6).toFixed(0)} km/h`];
  const action = at < side.last ? side.actionLabel(at) : null;
  if (action) {
    const probs = (side.steps.probs || [])[at], chosen = side.steps.action[at];
    const share = probs && probs.length ? ` (${(probs[chosen] * 100).toFixed(0)} %)` : "";
    parts.push(`chooses ${action}${share}`);
  } else parts.push(plain(side.outcome));
  const actors = side.actors(at).filter(({ track }) => track.kind !== 2), seen = actors.filter((actor) => actor.seen).length;
  parts.push(side.darkSteps.has(at) ? "sight fails" : actors.length ? `sees ${seen} of ${actors.length} ${actors.length === 1 ? "car" : "cars"}` : "no other cars");
  const nearest = side.hidden ? side.hidden[at] : (side.hidden = side.hiddenDistances())[at];
  if (nearest !== null && nearest !== undefined && nearest < 60) parts.push(`nearest out of sight ${nearest.toFixed(0)} m away`);
  const { places } = state.episode, named = places && places.names.length > 1 ? side.namedAt(at) : [];
  if (named.length) parts.push(`named: ${named.map(([, number]) => places.names[number]).join(", ")}`);
  const events = side.events.filter((event) => event.step === at && event.kind !== "end").map((event) => event.text);
  return parts.concat(events).join(" · ");
}

// The words change at every decision but are announced only when the page stands still.
function tell() {
  const now = $("now"), at = step();
  now.setAttribute("aria-live", state.playing ? "off" : "polite");
  const words = state.episode.sides.map((side, i) => `${state.about.drivers[i].label}: ${sentence(side, at)}`);
  if (words.join("\n") !== state.words) { // else it would be said twice
    state.words = words.join("\n");
    now.replaceChildren(...words.map((text, i) => {
      const line = element("span");
      line.append(element("i", `who side-${i}`), element("span", "", text));
      return line;
    }));
  }
  state.told = at;
  if (!state.playing) {
    const hash = `#episode=${state.about.episodes[state.index].episode}&step=${at}`;
    if (location.hash !== hash) history.replaceState(null, "", hash);
  }
}

// ---- drawing ---------------------------------------------------------------------------------

function redraw() {
  if (!state.episode || state.frame) return;
  state.frame = requestAnimationFrame(() => {
    state.frame = 0;
    drawNow();
  });
}

function drawNow() {
  for (const scene of state.scenes) {
    scene.draw(state.time, viewOf(scene), state.layers, state.colours);
    scene.caption.textContent = scene.side.caption(Math.min(step(), scene.side.last));
    if (scene.read) scene.read.textContent = scene.side.readAt(Math.min(step(), scene.side.last));
    scene.caption.className = `caption${step() >= scene.side.last ? ` ${kindOf(scene.side.outcome)}` : ""}`;
  }
  for (const plot of state.plots) plot.draw(state.time, state.colours);
  const at = step(), { dt, last } = state.episode;
  $("scrub").value = at;
  $("scrub").setAttribute("aria-valuetext", `${(at * dt).toFixed(1)} seconds, decision ${at} of ${last}`);
  $("clock").textContent = `${(state.time * dt).toFixed(1)} of ${(last * dt).toFixed(1)} s`;
  if (state.told !== at) tell();
}

function setLayer(name, on) {
  state.layers[name] = on;
  $(`layer-${name}`).setAttribute("aria-pressed", String(on));
  redraw();
}

// ---- beginning -------------------------------------------------------------------------------

function linked() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const number = wanted.has("episode") ? Number(wanted.get("episode")) : state.about.start;
  const found = state.about.episodes.findIndex((episode) => episode.episode === number);
  return [Math.max(0, found), Number(wanted.get("step")) || 0];
}

const SCROLL = /^(Arrow(Up|Down)|Home|End)$/; // where there is more below the player

const KEYS = {
  " ": toggle, ArrowLeft: (event) => stepBy(event.shiftKey ? -second() : -1), ArrowRight: (event) => stepBy(event.shiftKey ? second() : 1),
  Home: () => seek(0), End: () => seek(state.episode.last), ",": () => nextMark(-1), ".": () => nextMark(1),
  ArrowUp: () => neighbour(-1), ArrowDown: () => neighbour(1),
  1: () => setLayer("truth", !state.layers.truth), 2: () => setLayer("sees", !state.layers.sees), 3: () => setLayer("remembers", !state.layers.remembers), 4: () => setLayer("shown", !state.layers.shown),
  w: () => panBy(0, -1), a: () => panBy(-1, 0), s: () => panBy(0, 1), d: () => panBy(1, 0),
  "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(0.8), 0: fit, t: switchTheme, T: switchTheme,
};

const second = () => Math.max(1, Math.round(1 / state.episode.dt));

function neighbour(direction) {
  const all = listed(), here = all.indexOf(state.index), next = all[here + direction];
  if (next !== undefined) open(next, 0);
}

function switchTheme() {
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
}

function listen() {
  $("play").addEventListener("click", toggle);
  $("back").addEventListener("click", () => stepBy(-1));
  $("forward").addEventListener("click", () => stepBy(1));
  $("scrub").addEventListener("input", () => {
    pause();
    seek(Number($("scrub").value));
  });
  $("speed").addEventListener("change", () => (state.speed = Number($("speed").value)));
  $("theme").addEventListener("click", switchTheme);
  $("shortcuts").addEventListener("click", () => {
    state.shortcuts = !state.shortcuts;
    $("shortcuts").setAttribute("aria-pressed", String(state.shortcuts));
  });
  $("zoom-in").addEventListener("click", () => zoomBy(1.25));
  $("zoom-out").addEventListener("click", () => zoomBy(0.8));
  $("zoom-fit").addEventListener("click", fit);
  for (const name of LAYERS) $(`layer-${name}`).addEventListener("click", () => setLayer(name, !state.layers[name]));
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest && event.target.closest("select, button, input");
    const own = busy && (event.key === " " || event.key === "Enter") && busy.tagName === "BUTTON";
    const chosen = busy && (busy.tagName === "SELECT" || (busy.tagName === "INPUT" && /Up|Down/.test(event.key)));
    const scrolls = state.about.scrolls && SCROLL.test(event.key);
    const off = !state.shortcuts && event.key.length === 1 && event.key !== " "; // for those who speak to their browser
    if (own || chosen || scrolls || off || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key] || !state.episode) return;
    event.preventDefault();
    KEYS[event.key](event);
  });
  window.addEventListener("hashchange", () => {
    const [index, at] = linked();
    if (index !== state.index) open(index, at);
    else seek(at);
  });
  const resized = new ResizeObserver(() => {
    for (const scene of state.scenes) scene.resize();
    redraw();
  });
  resized.observe($("stages"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
}

async function start() {
  const data = JSON.parse($("data").textContent);
  state.about = data.about;
  state.blobs = data.blobs;
  $("scenario").textContent = state.about.title;
  $("summary").textContent = state.about.summary;
  setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  if (typeof DecompressionStream === "undefined") throw new Error("this browser cannot unpack the recording; one from 2023 or later can");
  state.roads = await unpack(state.blobs[0]);
  showFilters();
  listen();
  const exact = location.hash.includes("step");
  await open(...linked());
  if (!exact && !matchMedia("(prefers-reduced-motion: reduce)").matches) play();
  document.documentElement.dataset.ready = "true";
}

start().catch((error) => {
  $("trouble").hidden = false;
  $("trouble").textContent = `The replay cannot be shown: ${error.message}.`;
});
