import { lazy, Suspense } from "react";
import { withUnit } from "../format";
import { Loading } from "./states";
import { Time } from "./values";

export interface Series {
  label: string;
  /**
   * One for each time; null where nothing is known: the line has a gap; undefined where nothing
   * was told: it goes on.
   */
  values: (number | null | undefined)[];
  /** 1 to 6: which of the theme's colours; unset, by position. */
  colour?: 1 | 2 | 3 | 4 | 5 | 6;
}

/** A single moment on a chart that leads somewhere. */
export interface Mark {
  time_s: number;
  value: number;
  href: string;
  title: string;
}

export interface ChartProps {
  title: string;
  /** Seconds since 1970, ascending. */
  times_s: number[];
  series: Series[];
  /** OpenTelemetry's unit of the values: s, ms, By, 1, {request}, … */
  unit: string;
  height_px?: number;
  /** A range was brushed (seconds since 1970). */
  onSelect?: (start_s: number, end_s: number) => void;
  /** A moment was clicked: the nearest time's position. */
  onPoint?: (position: number) => void;
  /** Points over the lines, such as exemplars. Keyboards do not reach them: list them, too. */
  marks?: Mark[];
  /** A mark was clicked; unset, its address is opened. */
  onMark?: (mark: Mark) => void;
  /** Charts of one page with the same key share their cursor. */
  syncKey?: string;
}

// uPlot is 20 KB: a page without a chart does without it.
const Canvas = lazy(() => import("./chart_canvas"));
const TABLE_ROWS = 60;

/** Lines over time. Drawn on a canvas, so the numbers stand below as a table, folded. */
export function Chart(props: ChartProps) {
  const { title, times_s, series, unit, height_px = 180 } = props;
  return (
    <figure className="min-w-0">
      <figcaption className="mb-1 font-medium">{title}</figcaption>
      {times_s.length === 0 ? (
        <p className="py-6 text-center text-faint">Nothing in this time</p>
      ) : (
        // As high as the drawn one: what stands below does not move when uPlot has come.
        <div style={{ minHeight: `calc(${height_px}px + var(--spacing-legend))` }}>
          <Suspense fallback={<Loading />}>
            <Canvas {...props} />
          </Suspense>
        </div>
      )}
      <details className="mt-1 text-faint">
        <summary>As a table</summary>
        <section
          className="max-h-60 overflow-auto"
          aria-label={`${title}, as a table`}
          tabIndex={0}
        >
          <table className="w-full text-right tabular-nums">
            <thead>
              <tr>
                <th className="text-left">Time</th>
                {series.map(({ label }) => (
                  <th key={label}>{label}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times_s.slice(-TABLE_ROWS).map((time_s, row) => {
                const at = row + Math.max(times_s.length - TABLE_ROWS, 0);
                return (
                  <tr key={time_s}>
                    <th className="text-left font-normal">
                      <Time ns={time_s * 1e9} />
                    </th>
                    {series.map(({ label, values }) => (
                      <td key={label}>{withUnit(values[at], unit)}</td>
                    ))}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </section>
      </details>
    </figure>
  );
}
