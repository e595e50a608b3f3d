import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { localTime, tickTime, tickValue, utcTime, withUnit } from "../format";
import { useIsDark } from "../theme";
import type { ChartProps } from "./chart";
import { newestOf } from "./chart_legend";
import { showMarks } from "./chart_marks";

const COLOURS = 6;
const SPACE_PX = 50;
const SECONDS_SPACE_PX = 76;
// Ticks of bytes are powers of two: 64 MiB, not 95.4.
const BINARY = Array.from({ length: 60 }, (_, power) => 2 ** power);
// Moments that are told apart by what `tickTime` shows: never less than a second.
const CLOCK_S = [
  ...[1, 2, 5, 10, 15, 30].flatMap((step) => [step, step * 60]),
  ...[1, 2, 3, 4, 6, 8, 12, 24, 48, 96, 168, 336, 720].map((hours) => hours * 3600),
].sort((one, other) => one - other);

/** The canvas of `Chart`: uPlot, in the theme's colours, as wide as its place. */
export default function ChartCanvas(props: ChartProps) {
  const { times_s, series, unit, height_px = 180, syncKey, marks } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(props);
  const isDark = useIsDark();
  // A plot is made anew where its lines are others; new values are only set.
  const shape = JSON.stringify(series.map(({ label, colour }) => [label, colour]));

  useEffect(() => {
    latest.current = props;
  });

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes the colours read here
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const lines = JSON.parse(shape) as [string, number | undefined][];
    const axis = {
      stroke: colourOf(element, "text-faint"),
      grid: { stroke: colourOf(element, "text-line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui",
    };
    const made = new uPlot(
      {
        width: Math.max(element.clientWidth, 100),
        height: height_px,
        padding: [null, 28, null, null], // half of the last time's text
        cursor: {
          drag: { x: Boolean(latest.current.onSelect), y: false, setScale: false },
          ...(syncKey ? { sync: { key: syncKey } } : {}),
          bind: {
            click: (self) => () => {
              const at = self.cursor.idx;
              // The end of a brush is no click on a moment.
              if (typeof at === "number" && self.select.width === 0) latest.current.onPoint?.(at);
              return null;
            },
          },
        },
        scales: {
          // One moment alone: a minute on both sides, where uPlot has a day.
          x: {
            range: ({ data }, from, to) =>
              data[0].length === 1 ? [from - 60, from + 60] : [from, to],
          },
          y: { range: (_self, _least, most) => [0, highest(most, latest.current)] },
        },
        axes: [
          {
            ...axis,
            size: 28,
            incrs: CLOCK_S,
            // A time with seconds is wider.
            space: (_self, _axis, from, to, width_px) =>
              (to - from) / (width_px / SPACE_PX) < 60 ? SECONDS_SPACE_PX : SPACE_PX,
            values: (_self, ticks, _axis, _space, step_s) =>
              ticks.map((time_s) => tickTime(time_s, step_s)),
          },
          {
            ...axis,
            size: 64,
            ...(unit.startsWith("By") ? { incrs: BINARY } : {}),
            values: (_self, ticks) => ticks.map((tick) => tickValue(tick, unit)),
          },
        ],
        series: [
          {
            label: "Time",
            value: (self) => {
              const shown_s = self.data[0][toldAt(self)];
              return shown_s === undefined ? "" : localTime(shown_s * 1e9);
            },
          },
          ...lines.map(([label, colour], at) => ({
            label,
            stroke: colourOf(element, `text-series-${colour ?? (at % COLOURS) + 1}`),
            width: 1.5,
            points: { show: (self: uPlot, at: number) => isSparse(self.data[at]) },
            value: (self: uPlot, value: number | null, at: number, place: number | null) =>
              withUnit(place === null ? self.data[at]?.[toldAt(self)] : value, unit),
          })),
        ],
        hooks: {
          setLegend: [
            (self) => {
              const shown_s = self.data[0][toldAt(self)];
              self.root.title = shown_s === undefined ? "" : utcTime(shown_s * 1e9);
            },
          ],
          draw: [(self) => showMarks(self, latest)],
          setSelect: [
            (self) => {
              if (self.select.width < 2) return;
              const from = self.posToVal(self.select.left, "x");
              const to = self.posToVal(self.select.left + self.select.width, "x");
              self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              latest.current.onSelect?.(from, to);
            },
          ],
        },
      },
      dataOf(latest.current),
      element,
    );
    plot.current = made;
    const watcher = new ResizeObserver(() =>
      made.setSize({ width: Math.max(element.clientWidth, 100), height: height_px }),
    );
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [shape, unit, height_px, syncKey, isDark]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: marks are laid over what is drawn
  useEffect(() => {
    plot.current?.setData(dataOf({ times_s, series }));
  }, [times_s, series, marks]);

  return <div ref={place} className="min-w-0 overflow-hidden" aria-hidden="true" />;
}

/** The moment that the legend tells: where the pointer is, or the newest while it is elsewhere. */
function toldAt({ legend, data: [times, ...lines] }: uPlot): number {
  return legend.idx ?? newestOf(times, lines);
}

/** A mark above all lines is on the chart, too. */
function highest(most: number, { marks = [] }: ChartProps): number {
  return (Math.max(most || 0, ...marks.map(({ value }) => value)) || 1) * 1.05;
}

/** Too few points for a line: they are drawn themselves. */
function isSparse(values: ArrayLike<number | null | undefined> | undefined): boolean {
  return Array.from(values ?? []).filter((value) => typeof value === "number").length < 3;
}

function dataOf({ times_s, series }: Pick<ChartProps, "times_s" | "series">): uPlot.AlignedData {
  return [times_s, ...series.map(({ values }) => values)];
}

/** A canvas knows no CSS variables: the colour that a class has here, now. */
function colourOf(element: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.className = name;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
