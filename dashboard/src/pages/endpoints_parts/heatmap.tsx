import { type PointerEvent, useMemo, useState } from "react";
import { type HeatmapRow, type Search, useApi } from "../../api";
import { Answer, Empty, PageLink, Time } from "../../components";
import { count, duration, localTime, tickTime, utcTime } from "../../format";
import {
  boxOf,
  brushed,
  type Corner,
  type Heat,
  heatOf,
  marks_ms,
  pathOf,
  type Selection,
  SHADES,
  searchOfSelection,
  tableOf,
} from "./heat";

interface Props {
  /** What the traces of a cell are searched by, and whose heat this is. */
  service: string;
  route: string;
  version: string;
  selection: Selection;
  select: (selection: Selection, heat: Heat) => void;
}

/** Requests by time and duration. */
export function Heatmap({ service, route, version, selection, select }: Props) {
  const heatmap = useApi("/heatmap", { service, route, version });
  return (
    <Answer
      query={heatmap}
      empty={
        <Empty
          what="No requests in this time"
          fill="Each server span counts in the cell of its minute and its duration."
        />
      }
    >
      {({ rows }) => (
        <Drawn rows={rows} search={{ service, route }} selection={selection} select={select} />
      )}
    </Answer>
  );
}

interface DrawnProps extends Pick<Props, "selection" | "select"> {
  rows: HeatmapRow[];
  search: Search;
}

function Drawn({ rows, search, selection, select }: DrawnProps) {
  const heat = useMemo(() => heatOf(rows), [rows]);
  if (!heat) return null;
  return (
    <>
      <div className="grid grid-cols-[3.5rem_minmax(0,1fr)] gap-x-2">
        <DurationAxis heat={heat} />
        <Grid heat={heat} selection={selection} select={select} />
        <TimeAxis heat={heat} />
      </div>
      <Bounds heat={heat} selection={selection} select={select} />
      <HeatTable heat={heat} search={search} />
    </>
  );
}

const SHADE_NUMBERS = Array.from({ length: SHADES }, (_, at) => at + 1);

interface GridProps extends Pick<Props, "selection" | "select"> {
  heat: Heat;
}

/** The cells, one path for each shade, and the brush over them. */
function Grid({ heat, selection, select }: GridProps) {
  const [from, setFrom] = useState<Corner>();
  const [to, setTo] = useState<Corner>();
  const columns = heat.edges_s.length - 1;
  const height = heat.edges_ms.length - 1;
  const drawn = from && to ? brushed(heat, from, to) : selection;
  const box = Object.keys(drawn).length > 0 ? boxOf(heat, drawn) : undefined;
  const end = () => {
    if (from && to) select(brushed(heat, from, to), heat);
    setFrom(undefined);
  };
  const pointed_s = to && brushed(heat, to, to).start_s;
  return (
    <div
      className="relative"
      title={pointed_s === undefined ? undefined : utcTime(pointed_s * 1e9)}
    >
      <svg
        data-testid="heatmap"
        aria-hidden="true"
        className="block h-56 w-full cursor-crosshair touch-pan-y border-line border-b border-l text-series-1"
        viewBox={`0 0 ${columns} ${height}`}
        preserveAspectRatio="none"
        shapeRendering="crispEdges"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setFrom(cornerOf(event));
          setTo(cornerOf(event));
        }}
        onPointerMove={(event) => setTo(cornerOf(event))}
        onPointerUp={end}
        onPointerCancel={() => setFrom(undefined)}
        onPointerLeave={() => setTo(undefined)}
      >
        {SHADE_NUMBERS.map((shade) => (
          <path
            key={shade}
            d={pathOf(heat, shade)}
            fill="currentColor"
            opacity={0.12 + (0.88 * shade) / SHADES}
          />
        ))}
        {box && (
          <rect
            {...box}
            className="text-series-2"
            fill="currentColor"
            fillOpacity="0.15"
            stroke="currentColor"
            strokeWidth="2"
            vectorEffect="non-scaling-stroke"
          />
        )}
      </svg>
      <p aria-hidden="true" className="absolute top-1 right-1 rounded bg-panel/85 px-1 text-xs">
        {to && cellText(heat, to)}
      </p>
    </div>
  );
}

function cornerOf(event: PointerEvent<SVGSVGElement>): Corner {
  const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
  return { x: (event.clientX - left) / width, y: (event.clientY - top) / height };
}

function cellText(heat: Heat, corner: Corner): string {
  const { start_s = 0, least_ms = 0, most_ms = 0 } = brushed(heat, corner, corner);
  const column = heat.edges_s.indexOf(start_s);
  const row = heat.edges_ms.indexOf(least_ms);
  const cell = heat.cells.find(
    (one) => one.column === column && one.row <= row && row < one.row + one.rows,
  );
  return `${tickTime(start_s, 60)}, ${duration(least_ms)} to ${duration(most_ms)}: ${count(cell?.count ?? 0)}`;
}

function DurationAxis({ heat }: { heat: Heat }) {
  const least_ms = heat.edges_ms[0] ?? 1;
  const most_ms = heat.edges_ms.at(-1) ?? 1;
  const span = Math.log(most_ms / least_ms) || 1;
  return (
    <div aria-hidden="true" className="relative h-56 text-right text-faint text-xs">
      {marks_ms(least_ms, most_ms).map((mark) => (
        <span
          key={mark}
          className="absolute right-0 -translate-y-1/2 whitespace-nowrap"
          style={{ top: `${100 - (100 * Math.log(mark / least_ms)) / span}%` }}
        >
          {duration(mark)}
        </span>
      ))}
    </div>
  );
}

const TIME_MARKS = 4;

function TimeAxis({ heat }: { heat: Heat }) {
  const columns = heat.edges_s.length - 1;
  const step_s = (heat.edges_s[1] ?? 0) - (heat.edges_s[0] ?? 0);
  const marks = Math.min(TIME_MARKS, columns);
  return (
    <div aria-hidden="true" className="col-start-2 flex justify-between pt-1 text-faint text-xs">
      {Array.from({ length: marks + 1 }, (_, mark) => Math.round((mark * columns) / marks)).map(
        (column) => {
          const time_s = heat.edges_s[column] ?? 0;
          return (
            <Time key={column} ns={time_s * 1e9}>
              {tickTime(time_s, step_s)}
            </Time>
          );
        },
      )}
    </div>
  );
}

/** The selection's bounds, one by one: what the brush does, by keyboard and with a screen reader. */
function Bounds({ heat, selection, select }: GridProps) {
  const change = (part: Selection) => {
    const { start_s, end_s, least_ms, most_ms } = {
      start_s: heat.edges_s[0] as number,
      end_s: heat.edges_s.at(-1) as number,
      least_ms: heat.edges_ms[0] as number,
      most_ms: heat.edges_ms.at(-1) as number,
      ...selection,
      ...part,
    };
    // One that passes the other takes it along.
    const isTime = part.end_s === undefined;
    const isBand = part.most_ms === undefined;
    const times =
      start_s < end_s ? { start_s, end_s } : beside(heat.edges_s, start_s, end_s, isTime);
    const band =
      least_ms < most_ms
        ? { least_ms, most_ms }
        : renamed(beside(heat.edges_ms, least_ms, most_ms, isBand));
    select({ ...times, ...band }, heat);
  };
  const step_s = (heat.edges_s[1] ?? 0) - (heat.edges_s[0] ?? 0);
  const time = (time_s: number) => tickTime(time_s, step_s);
  const utc = (time_s: number) => utcTime(time_s * 1e9);
  const froms_s = heat.edges_s.slice(0, -1);
  const leasts_ms = heat.edges_ms.slice(0, -1);
  return (
    <fieldset className="mt-2 flex flex-wrap items-center gap-2">
      <legend className="sr-only">Selected time and durations</legend>
      <Edge
        label="From"
        edges={froms_s}
        value={selection.start_s ?? froms_s[0]}
        text={time}
        hint={utc}
        set={(start_s) => change({ start_s })}
      />
      <Edge
        label="to"
        edges={heat.edges_s.slice(1)}
        value={selection.end_s ?? heat.edges_s.at(-1)}
        text={time}
        hint={utc}
        set={(end_s) => change({ end_s })}
      />
      <Edge
        label="lasting"
        edges={leasts_ms}
        value={selection.least_ms ?? leasts_ms[0]}
        text={duration}
        set={(least_ms) => change({ least_ms })}
      />
      <Edge
        label="up to"
        edges={heat.edges_ms.slice(1)}
        value={selection.most_ms ?? heat.edges_ms.at(-1)}
        text={duration}
        set={(most_ms) => change({ most_ms })}
      />
    </fieldset>
  );
}

function beside(edges: number[], start: number, end: number, isStart: boolean) {
  return isStart
    ? { start_s: start, end_s: edges[edges.indexOf(start) + 1] ?? start }
    : { start_s: edges[edges.indexOf(end) - 1] ?? end, end_s: end };
}

function renamed({ start_s, end_s }: { start_s: number; end_s: number }) {
  return { least_ms: start_s, most_ms: end_s };
}

interface EdgeProps {
  label: string;
  edges: number[];
  value: number | undefined;
  text: (edge: number) => string;
  /** What is said on hover. */
  hint?: (edge: number) => string;
  set: (edge: number) => void;
}

function Edge({ label, edges, value = 0, text, hint, set }: EdgeProps) {
  // A selection of before may lie between the edges of now.
  const nearest = edges.reduce(
    (best, edge, at) =>
      Math.abs(edge - value) < Math.abs((edges[best] ?? Number.POSITIVE_INFINITY) - value)
        ? at
        : best,
    0,
  );
  return (
    <label className="flex items-center gap-1">
      <span className="text-faint">{label}</span>
      <select
        className="control"
        title={hint?.(edges[nearest] ?? value)}
        value={nearest}
        onChange={({ target }) => set(edges[Number(target.value)] as number)}
      >
        {edges.map((edge, at) => (
          <option key={edge} value={at} title={hint?.(edge)}>
            {text(edge)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The same counts as numbers, each a link to its traces. */
function HeatTable({ heat, search }: { heat: Heat; search: Search }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details
      className="mt-2 text-faint"
      onToggle={({ currentTarget }) => setOpen(currentTarget.open)}
    >
      <summary>As a table</summary>
      {isOpen && <Counts heat={heat} search={search} />}
    </details>
  );
}

function Counts({ heat, search }: { heat: Heat; search: Search }) {
  const { bands, rows } = tableOf(heat);
  return (
    <section
      className="max-h-72 overflow-auto"
      aria-label="Requests by time and duration"
      tabIndex={0}
    >
      <table className="text-right tabular-nums">
        <thead className="sticky top-0 bg-panel">
          <tr>
            <th className="pr-3 text-left">From</th>
            {bands.map(([lower, upper]) => (
              <th key={lower} className="whitespace-nowrap px-2 font-normal">
                <span className="sr-only">{duration(lower)} to </span>
                <span aria-hidden="true">≤ </span>
                {duration(upper)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((counts, column) => {
            const start_s = heat.edges_s[column] as number;
            const end_s = heat.edges_s[column + 1] as number;
            return (
              <tr key={start_s}>
                <th className="whitespace-nowrap pr-3 text-left font-normal">
                  <Time ns={start_s * 1e9}>{localTime(start_s * 1e9).slice(0, -4)}</Time>
                </th>
                {counts.map((requests, band) => {
                  const [least_ms, most_ms] = bands[band] as [number, number];
                  const chosen = searchOfSelection({ start_s, end_s, least_ms, most_ms });
                  return (
                    <td key={least_ms} className="px-2">
                      {requests > 0 ? (
                        <PageLink to="/traces" search={{ ...search, range: undefined, ...chosen }}>
                          {requests}
                        </PageLink>
                      ) : (
                        "·"
                      )}
                    </td>
                  );
                })}
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
