import type { LogRow } from "../../api";
import { duration, fromMoment, levelOf } from "../../format";
import type { Stretch } from "./critical_path";
import type { Tree } from "./tree";
import { placeOf, type View } from "./zoom";

interface BarProps {
  tree: Tree;
  view: View;
  at: number;
  path: Map<number, Stretch[]>;
  colours: Map<string, number>;
}

/** A span in the time that is shown, with the part of it that is on the critical path. */
export function Bar({ tree, view, at, path, colours }: BarProps) {
  const node = tree.nodes[at];
  if (!node) return null;
  const place = placeOf(node.from_ms, node.to_ms, view);
  if (typeof place === "string") return <Elsewhere where={place} ms={node.span.duration_ms} />;
  const { left, width } = place;
  const isRoomAfter = left + width < 75;
  const isRoomBefore = left > 25;
  const side = isRoomAfter
    ? { left: `calc(${left + width}% + 5px)` }
    : isRoomBefore
      ? { right: `calc(${100 - left}% + 5px)` }
      : { right: 4 };
  const isInside = !isRoomAfter && !isRoomBefore;
  return (
    <>
      <span
        aria-hidden="true"
        data-bar
        className={`absolute top-2 h-3 rounded-xs bg-current ${node.isError ? "text-bad" : `text-series-${colours.get(node.span.service) ?? 6}`}`}
        style={{ left: `min(${left}%, 100% - 2px)`, width: `max(${width}%, 2px)` }}
      />
      {path.get(at)?.map(({ from_ms, to_ms }) => {
        const part = placeOf(from_ms, to_ms, view);
        return (
          typeof part === "object" && (
            <span
              key={from_ms}
              aria-hidden="true"
              data-critical
              className="absolute top-[1.375rem] h-[3px] bg-ink"
              style={{ left: `min(${part.left}%, 100% - 1px)`, width: `max(${part.width}%, 1px)` }}
            />
          )
        );
      })}
      <span
        className={`absolute top-1.5 whitespace-nowrap rounded text-xs tabular-nums ${isInside ? "bg-panel px-1" : "text-faint"}`}
        style={side}
      >
        {duration(node.span.duration_ms)}
        {path.has(at) && <span className="sr-only"> on the critical path</span>}
      </span>
    </>
  );
}

/** A span, or a log record, before or after the time that is shown. */
function Elsewhere({ where, ms }: { where: "before" | "after"; ms: number }) {
  return (
    <span
      data-elsewhere={where}
      className={`absolute top-1.5 whitespace-nowrap text-faint text-xs tabular-nums ${where === "before" ? "left-0" : "right-1"}`}
    >
      <span aria-hidden="true">{where === "before" && "‹ "}</span>
      {duration(ms)}
      <span className="sr-only">, {where} the time that is shown</span>
      <span aria-hidden="true">{where === "after" && " ›"}</span>
    </span>
  );
}

/** A log record at its moment. */
export function LogMark({ tree, view, log }: { tree: Tree; view: View; log: LogRow | undefined }) {
  if (!log) return null;
  const from_ms = (log.time_ns - tree.start_ns) / 1e6;
  const level = levelOf(log.severity);
  const isBad = level === "ERROR" || level === "FATAL";
  // Written before the first span, or after the last: at the trace's ends.
  const within_ms = Math.min(Math.max(from_ms, 0), tree.duration_ms);
  const place = placeOf(within_ms, within_ms, view);
  if (typeof place === "string") return <Elsewhere where={place} ms={from_ms} />;
  const { left } = place;
  return (
    <>
      <span
        aria-hidden="true"
        className={`absolute top-2.5 size-2.5 -translate-x-1/2 rotate-45 bg-current ${isBad ? "text-bad" : "text-accent"}`}
        style={{ left: `clamp(6px, ${left}%, 100% - 6px)` }}
      />
      <span
        className="absolute top-1.5 text-faint text-xs tabular-nums"
        style={
          left < 75 ? { left: `calc(${left}% + 14px)` } : { right: `calc(${100 - left}% + 14px)` }
        }
      >
        {fromMoment(from_ms)}
      </span>
    </>
  );
}
