import type uPlot from "uplot";
import type { ChartProps } from "./chart";

const CLASSES =
  "absolute size-2.5 -translate-x-1/2 -translate-y-1/2 rotate-45 border border-panel bg-series-2 hover:scale-150";

/** Lay the chart's marks over its lines, as links: drawn anew whenever the lines are. */
export function showMarks(plot: uPlot, latest: { current: ChartProps }): void {
  const { marks = [] } = latest.current;
  for (const old of plot.over.querySelectorAll("a[data-mark]")) old.remove();
  const { min = 0, max = 0 } = plot.scales.x ?? {};
  for (const mark of marks) {
    if (mark.time_s < (min ?? 0) || mark.time_s > (max ?? 0)) continue;
    const link = document.createElement("a");
    link.className = CLASSES;
    link.dataset.mark = "";
    link.href = mark.href;
    link.title = mark.title;
    link.tabIndex = -1; // the canvas and all on it is hidden from screen readers
    link.style.left = `${plot.valToPos(mark.time_s, "x")}px`;
    link.style.top = `${plot.valToPos(mark.value, "y")}px`;
    link.onclick = (event) => {
      if (!latest.current.onMark || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      latest.current.onMark(mark);
    };
    plot.over.append(link);
  }
}
