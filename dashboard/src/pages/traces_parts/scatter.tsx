import { useNavigate } from "@tanstack/react-router";
import { type PointerEvent, useMemo, useRef, useState } from "react";
import { type TraceRow, useSearchText } from "../../api";
import { Time } from "../../components";
import { count, duration, localTime, tickTime } from "../../format";
import { decades, placesOf } from "./places";

interface Props {
  rows: TraceRow[];
  /** A box was drawn: from, to (seconds since 1970), least, most (milliseconds). */
  onBox: (start_s: number, end_s: number, least_ms: number, most_ms: number) => void;
}

interface Box {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** Each trace by its begin and (logarithmic) duration. A dot opens it, a box searches within. */
export function Scatter({ rows, onBox }: Props) {
  const navigate = useNavigate();
  const search = useSearchText();
  const places = useMemo(() => placesOf(rows), [rows]);
  const area = useRef<HTMLDivElement>(null);
  const [box, setBox] = useState<Box>();
  if (!places) return null;
  const { dots, startOf, durationOf, least_ms, most_ms } = places;
  const failed = rows.filter(({ errors }) => errors > 0).length;

  const at = (event: PointerEvent): [number, number] => {
    const { left, top, width, height } = (area.current as HTMLDivElement).getBoundingClientRect();
    const within = (value: number) => Math.min(Math.max(value, 0), 1);
    return [within((event.clientX - left) / width), within((event.clientY - top) / height)];
  };
  const ended = (event: PointerEvent) => {
    if (!box) return;
    const [x, y] = at(event);
    setBox(undefined);
    const [left, right] = [Math.min(box.x0, x), Math.max(box.x0, x)];
    const [top, bottom] = [Math.min(box.y0, y), Math.max(box.y0, y)];
    if (right - left > 0.02 && bottom - top > 0.05) {
      onBox(startOf(left), startOf(right), durationOf(bottom), durationOf(top));
      return;
    }
    const nearest = dots.reduce(
      (best, dot) => {
        const distance = Math.hypot((dot.x - x) * 6, dot.y - y);
        return distance < best.distance ? { distance, id: dot.id } : best;
      },
      { distance: 0.1, id: "" },
    );
    if (!nearest.id) return;
    const { range, start, end } = search;
    const kept = { range, start, end } as never;
    void navigate({ to: `/traces/${nearest.id}` as string, search: kept });
  };
  const [from_s, to_s] = [startOf(0), startOf(1)];

  return (
    <figure>
      <div className="relative h-36 pb-5 pl-14">
        {decades(least_ms, most_ms).map(({ ms, y }) => (
          <span
            key={ms}
            aria-hidden="true"
            className="absolute left-0 w-12 -translate-y-1/2 text-right text-faint text-xs"
            style={{ top: `calc(${y} * (100% - 1.25rem))` }}
          >
            {duration(ms)}
          </span>
        ))}
        <div
          ref={area}
          className="relative h-full cursor-crosshair touch-pan-y border-line border-b border-l"
          data-testid="scatter"
          onPointerDown={(event) => {
            if (event.pointerType !== "mouse" || event.button !== 0) return;
            event.currentTarget.setPointerCapture(event.pointerId);
            const [x, y] = at(event);
            setBox({ x0: x, y0: y, x1: x, y1: y });
          }}
          onPointerMove={(event) => {
            if (!box) return;
            const [x, y] = at(event);
            setBox({ ...box, x1: x, y1: y });
          }}
          onPointerUp={ended}
          onPointerCancel={() => setBox(undefined)}
        >
          <svg
            className="absolute inset-0 size-full overflow-visible"
            role="img"
            aria-label={`${count(rows.length)} traces by begin and duration: ${duration(least_ms)} to ${duration(most_ms)}, ${count(failed)} with errors, ${localTime(from_s * 1e9)} to ${localTime(to_s * 1e9)}. The list below has them all.`}
          >
            {dots.map(({ id, x, y, isError }) => (
              <circle
                key={id}
                cx={`${x * 100}%`}
                cy={`${y * 100}%`}
                r={isError ? 4 : 3}
                className={isError ? "text-bad" : "text-series-1"}
                fill="currentColor"
                fillOpacity={isError ? 0.9 : 0.5}
              />
            ))}
          </svg>
          {box && (
            <div
              className="absolute border border-accent bg-accent/15"
              style={{
                left: `${Math.min(box.x0, box.x1) * 100}%`,
                top: `${Math.min(box.y0, box.y1) * 100}%`,
                width: `${Math.abs(box.x1 - box.x0) * 100}%`,
                height: `${Math.abs(box.y1 - box.y0) * 100}%`,
              }}
            />
          )}
        </div>
        <span aria-hidden="true" className="absolute bottom-0 left-14 text-faint text-xs">
          <Time ns={from_s * 1e9}>{tickTime(from_s, 1)}</Time>
        </span>
        <span aria-hidden="true" className="absolute right-0 bottom-0 text-faint text-xs">
          <Time ns={to_s * 1e9}>{tickTime(to_s, 1)}</Time>
        </span>
      </div>
    </figure>
  );
}
