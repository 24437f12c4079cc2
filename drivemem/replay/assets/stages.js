"use strict";
// The pictures of the drivers: their frames, the camera, and what the pointer does to it.

function showStages() {
  const { episode } = state, wide = isWide(episode);
  $("stages").className = `stages${episode.sides.length > 1 ? " pair" : ""}${wide ? " wide" : ""}`;
  state.scenes = [];
  $("stages").replaceChildren(...episode.sides.map((side, i) => {
    const stage = element("article", "stage"), head = element("header"), badge = element("span", "badge");
    badge.append(element("i", `sign ${kindOf(side.outcome)}`), element("span", "", plain(side.outcome)));
    head.append(element("i", `chip side-${i}`), element("h2", "", state.about.drivers[i].label), badge);
    const canvas = element("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${state.about.drivers[i].label} from above; the text below the controls says what happens`);
    stage.append(head, element("p", "story", side.story), canvas);
    state.scenes.push(new Scene(canvas, side, episode, i));
    listenToPointer(canvas);
    return stage;
  }));
  for (const scene of state.scenes) scene.resize();
}

function bounds(episode) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { ego } of episode.sides) {
    ego.x.forEach((x, i) => {
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], ego.y[i]);
      box[2] = Math.max(box[2], x);
      box[3] = Math.max(box[3], ego.y[i]);
    });
  }
  return box;
}

function isWide(episode) {
  const [left, top, right, bottom] = bounds(episode);
  return right - left > 60 && right - left > 4 * (bottom - top);
}

// The camera stands still where the whole way fits, else it goes along with the ego.
function viewOf(scene) {
  const { episode } = state, [left, top, right, bottom] = bounds(episode), margin = 32;
  const fits = Math.min(scene.width / (right - left + margin), scene.height / (bottom - top + margin));
  const still = fits >= 4.2, scale = (still ? Math.min(fits, 8) : isWide(episode) ? clamp(scene.width / 150, 3.2, 6) : 5) * state.zoom;
  const me = scene.side.ego.at(Math.min(state.time, scene.side.last), episode.dt);
  const ahead = isWide(episode) ? 0.18 * scene.width / scale : 0;
  const centre = still ? [(left + right) / 2, (top + bottom) / 2] : [me.x + ahead * Math.cos(me.heading), me.y];
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

function fit() {
  state.zoom = 1;
  state.pan = [0, 0];
  redraw();
}
