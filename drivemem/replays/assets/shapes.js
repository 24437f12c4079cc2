"use strict";
// Rectangles and the shadows that they throw.

const FAR_M = 500;

function boxCorners(x, y, heading, length, width) {
  const c = Math.cos(heading), s = Math.sin(heading), l = length / 2, w = width / 2;
  return [[l, w], [l, -w], [-l, -w], [-l, w]].map(([a, b]) => [x + a * c - b * s, y + a * s + b * c]);
}

function isInside(px, py, [x, y, heading, length, width]) {
  const c = Math.cos(heading), s = Math.sin(heading), dx = px - x, dy = py - y;
  return Math.abs(dx * c + dy * s) <= length / 2 && Math.abs(dy * c - dx * s) <= width / 2;
}

// The convex polygon that a box and its shadow cover, seen from a point; null from inside it.
function shadowOf(px, py, box) {
  if (isInside(px, py, box)) return null;
  const near = boxCorners(...box);
  const far = near.map(([x, y]) => {
    const distance = Math.hypot(x - px, y - py) || 1;
    return [px + (x - px) / distance * FAR_M, py + (y - py) / distance * FAR_M];
  });
  return convexHull(near.concat(far));
}

function convexHull(points) {
  const ordered = points.slice().sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (list) => {
    const chain = [];
    for (const p of list) {
      while (chain.length > 1) {
        const [a, b] = chain.slice(-2);
        if ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) > 0) break;
        chain.pop();
      }
      chain.push(p);
    }
    return chain.slice(0, -1);
  };
  return half(ordered).concat(half(ordered.slice().reverse()));
}

if (typeof module !== "undefined") module.exports = { boxCorners, shadowOf, convexHull, isInside };
