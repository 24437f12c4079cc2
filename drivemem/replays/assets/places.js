"use strict";
// Places that a cue can name: each wears its number, and the one that was named also its name in a
// filled plate with a frame, so that no colour is needed to tell it.

// Centre of a lane at steps of some metres from a little behind its start.
function alongLane({ left, right }, every = 3, from = 5) {
  const middle = left.map(([x, y], i) => [(x + right[i][0]) / 2, (y + right[i][1]) / 2]), found = [];
  let until = from;
  for (let i = 1; i < middle.length; i++) {
    const [a, b] = [middle[i - 1], middle[i]], length = Math.hypot(b[0] - a[0], b[1] - a[1]);
    for (; until <= length; until += every) found.push([a[0] + (b[0] - a[0]) * until / length, a[1] + (b[1] - a[1]) * until / length]);
    until -= length;
  }
  return found.length ? found : [middle[0]];
}

function drawPlaces(c, scene, { names, lanes }, named, colours) {
  const r = clamp(1.7 * scene.view.scale, 7, 10), marks = [];
  lanes.forEach((rows, junction) => rows.forEach((row, number) => {
    const isNamed = named.some(([j, n]) => j === junction && n === number);
    const spots = alongLane(scene.episode.road[row]).map(([x, y]) => scene.toScreen(x, y));
    const spot = spots.find(([x, y]) => x > r + 4 && x < scene.width - 90 && y > r + 4 && y < scene.height - r - 4);
    if (!spot) return;
    if (names.length > 1) marks.push({ spot, isNamed: false, text: String(number + 1) });
    if (isNamed) marks.push({ spot: [spot[0] + (names.length > 1 ? 2 * r + 6 : 0), spot[1]], isNamed, text: names[number] });
  }));
  c.save();
  c.font = `600 ${Math.round(1.3 * r)}px system-ui, 'DejaVu Sans', sans-serif`;
  c.textAlign = "left";
  c.textBaseline = "middle";
  for (const { spot: [x, y], isNamed, text } of marks) {
    const words = c.measureText(text).width, width = Math.max(2 * r, words + r);
    plate(c, x - r, y - r, width, 2 * r, r);
    c.fillStyle = isNamed ? colours.ink : colours.card;
    c.strokeStyle = isNamed ? colours.ink : colours.quiet;
    c.lineWidth = 1.5;
    c.fill();
    c.stroke();
    if (isNamed) {
      plate(c, x - r - 3, y - r - 3, width + 6, 2 * r + 6, r + 3);
      c.stroke();
    }
    c.fillStyle = isNamed ? colours.card : colours.ink;
    c.fillText(text, x - r + (width - words) / 2, y + 0.5);
  }
  c.restore();
}

function plate(c, x, y, width, height, round) {
  c.beginPath();
  if (c.roundRect) c.roundRect(x, y, width, height, round);
  else c.rect(x, y, width, height);
}

if (typeof module !== "undefined") module.exports = { alongLane, drawPlaces };
