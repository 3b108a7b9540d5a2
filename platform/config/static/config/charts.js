// Says the figures of the day under the pointer; the table below the plot has the same for everybody else.
document.addEventListener("pointermove", (event) => {
  const canvas = event.target.closest?.(".fd-canvas");
  for (const other of document.querySelectorAll(".fd-cursor:not([hidden])")) {
    if (!canvas?.contains(other)) other.hidden = true;
  }
  if (!canvas) return;
  const table = canvas.closest("figure").querySelector("table");
  const rows = [...table.tBodies[0].rows].reverse();
  const box = canvas.getBoundingClientRect();
  const index = Math.min(rows.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * rows.length)));
  const cursor = canvas.querySelector(".fd-cursor");
  if (cursor.dataset.day !== String(index)) {
    cursor.dataset.day = index;
    const tip = document.createElement("div");
    const heads = [...table.tHead.rows[0].cells];
    [...rows[index].cells].forEach((cell, number) => {
      const line = document.createElement("p");
      line.textContent = number ? `${heads[number].textContent}: ${cell.textContent}` : cell.textContent;
      tip.append(line);
    });
    cursor.replaceChildren(tip);
  }
  const middle = ((index + 0.5) / rows.length) * 100;
  cursor.style.left = `${middle}%`;
  cursor.classList.toggle("fd-left", middle > 60);
  cursor.hidden = false;
});
