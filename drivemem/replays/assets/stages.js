"use strict";
// The pictures of the drivers: their frames, the camera, and what the pointer does to it.

const CAPTION_PX = 32;
const PAN_PX = 40; // of one press of a key

function showStages() {
  const { episode } = state, wide = episode.wide;
  $("stages").className = `stages${["", " pair", " trio"][episode.sides.length - 1]}${wide ? " wide" : ""}`;
  state.scenes = [];
  $("stages").replaceChildren(...episode.sides.map((side, i) => {
    const stage = element("article", "stage"), head = element("header"), badge = element("span", "badge");
    badge.append(element("i", `sign ${kindOf(side.outcome)}`), element("span", "", plain(side.outcome)));
    head.append(element("i", `chip side-${i}`), element("h2", "", state.about.drivers[i].label), badge);
    const canvas = element("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${state.about.drivers[i].label} from above; the text below the controls says what happens`);
    const view = element("div", "view"), caption = element("p", "caption");
    caption.setAttribute("aria-hidden", "true"); // the words below the controls say as much
    view.append(canvas, caption);
    stage.append(head, element("p", "story", side.story), view);
    const read = side.latents.length ? element("p", "read") : null;
    if (read) stage.append(read);
    const scene = new Scene(canvas, side, episode, i);
    scene.caption = caption;
    scene.read = read; // what a probe of the memory reads of the cue
    state.scenes.push(scene);
    listenToPointer(canvas);
    return stage;
  }));
  for (const scene of state.scenes) scene.resize();
}

// The camera stands still where all that matters fits, else it goes along with the ego.
function viewOf(scene) {
  const { episode } = state, { wide } = episode, [left, top, right, bottom] = episode.view, margin = wide ? 32 : 14;
  const head = wide ? 0 : CAPTION_PX; // kept free for the words
  const fits = Math.min(scene.width / (right - left + margin), (scene.height - head) / (bottom - top + margin));
  const still = fits >= (wide ? 4.2 : 2), scale = (still ? Math.min(fits, 8) : wide ? clamp(scene.width / 150, 3.2, 6) : 5) * state.zoom;
  const me = scene.side.ego.at(Math.min(state.time, scene.side.last), episode.dt);
  const ahead = wide ? 0.18 * scene.width / scale : 0;
  const centre = still ? [(left + right) / 2, (top + bottom - head / scale) / 2] : [me.x + ahead * Math.cos(me.heading), me.y];
  return { scale, x: centre[0] + state.pan[0], y: centre[1] + state.pan[1] };
}

function listenToPointer(canvas) {
  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    from = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    const { scale } = viewOf(state.scenes[0]);
    state.pan = [state.pan[0] - (event.clientX - from[0]) / scale, state.pan[1] - (event.clientY - from[1]) / scale];
    from = [event.clientX, event.clientY];
    redraw();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (from = null));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // plain wheels scroll the page
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY / 300));
  }, { passive: false });
  canvas.addEventListener("dblclick", fit);
}

function zoomBy(factor) {
  state.zoom = clamp(state.zoom * factor, 0.2, 8);
  redraw();
}

// Where the picture goes by a key, in steps to the right and down.
function panBy(right, down) {
  const { scale } = viewOf(state.scenes[0]);
  state.pan = [state.pan[0] + right * PAN_PX / scale, state.pan[1] + down * PAN_PX / scale];
  redraw();
}

function fit() {
  state.zoom = 1;
  state.pan = [0, 0];
  redraw();
}
