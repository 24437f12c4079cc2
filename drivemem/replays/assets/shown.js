"use strict";
// The views that a driver decides by, along the ego's lane, where it was at the decision.

function drawShown(c, { shown, ego }, extent, step, scale, colours) {
  const heading = shown.heading[step];
  if (heading === null || heading === undefined) return;
  c.save();
  c.translate(ego.x[step], ego.y[step]);
  c.rotate(heading);
  c.fillStyle = c.strokeStyle = colours.shown;
  if (shown.grid) drawGrid(c, shown.grid[step], extent.grid, scale);
  if (shown.lanes) drawLanes(c, shown.lanes[step], extent.lanes, shown.offset[step], ego.length / 2, scale);
  c.restore();
}

// Cells, the fuller the stronger, and the edge of the grid.
function drawGrid(c, cells, { behind, across, cell: [length, width], cells: [rows, columns] }, scale) {
  c.lineWidth = 1 / scale;
  c.globalAlpha = 0.7;
  c.strokeRect(-behind, -across / 2, rows * length, columns * width);
  for (const [number, cover] of cells) {
    c.globalAlpha = 0.15 + 0.5 * cover / 100;
    c.fillRect(Math.floor(number / columns) * length - behind, (number % columns) * width - across / 2, length, width);
  }
}

// A line along each lane to the nearest actor ahead and behind, and a bar where there is no room.
function drawLanes(c, lanes, { side, width }, offset, half, scale) {
  c.lineWidth = Math.max(0.25, 1.5 / scale);
  lanes.forEach(([exists, room, ahead, behind], i) => {
    const y = (i - side - offset) * width;
    c.globalAlpha = 0.35;
    if (exists && !room) c.fillRect(-half, y - width / 4, 2 * half, width / 2);
    c.globalAlpha = 0.85;
    for (const [gap, direction] of [[ahead, 1], [behind, -1]]) {
      if (gap < 0) continue;
      const to = direction * (half + gap);
      c.beginPath();
      c.moveTo(direction * half, y);
      c.lineTo(to, y);
      c.moveTo(to, y - width / 4);
      c.lineTo(to, y + width / 4);
      c.stroke();
    }
  });
}

if (typeof module !== "undefined") module.exports = { drawShown };
