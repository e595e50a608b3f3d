import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { MaskedText, Severity, Time, TraceLink, useIsNarrow } from "../../components";
import { type Line, traceOf } from "./tail";

interface Props {
  lines: Line[];
  chosen: string;
  choose: (key: string) => void;
  /** Whether the newest line is kept in view. */
  isFollowing: boolean;
  /** The reader went to older lines, or came back to the newest. */
  setFollowing: (isFollowing: boolean) => void;
  onEnd: () => void;
}

const WIDE_PX = 28;
const NARROW_PX = 48;
const TOP_PX = 4;

/** Records, the newest on top; only those in view are in the document. */
export function Lines({ lines, chosen, choose, isFollowing, setFollowing, onEnd }: Props) {
  const isNarrow = useIsNarrow();
  const height_px = isNarrow ? NARROW_PX : WIDE_PX;
  const scroller = useRef<HTMLElement>(null);
  const asked = useRef(0);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height_px,
    overscan: 20,
    getItemKey: (index) => lines[index]?.key ?? index,
    onChange: (instance) => {
      const last = instance.getVirtualItems().at(-1)?.index ?? 0;
      if (lines.length > asked.current && last >= lines.length - 10) {
        asked.current = lines.length;
        onEnd();
      }
    },
  });

  // biome-ignore lint/correctness/useExhaustiveDependencies: rows of another height are measured anew
  useEffect(() => virtual.measure(), [height_px, virtual]);

  useEffect(() => {
    if (isFollowing) scroller.current?.scrollTo({ top: 0 });
  }, [isFollowing]);

  /** The arrows go from record to record. */
  const move = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || lines.length === 0) return;
    event.preventDefault();
    const at = lines.findIndex(({ key }) => key === chosen);
    const next = Math.min(Math.max(at + step, 0), lines.length - 1);
    choose(lines[next]?.key ?? "");
    virtual.scrollToIndex(next);
  };

  return (
    <section
      ref={scroller}
      aria-label="Log records"
      className="max-h-[60vh] min-h-64 overflow-auto overflow-x-hidden"
      tabIndex={0}
      onKeyDown={move}
      onScroll={({ currentTarget }) => {
        const isOnTop = currentTarget.scrollTop <= TOP_PX;
        if (isOnTop !== isFollowing) setFollowing(isOnTop);
      }}
    >
      <ol className="relative" data-testid="lines" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const line = lines[item.index];
          return (
            line && (
              <li
                key={item.key}
                aria-setsize={lines.length}
                aria-posinset={item.index + 1}
                className={`absolute inset-x-0 grid grid-cols-[max-content_max-content_minmax(0,1fr)_4.5rem] items-center gap-x-3 border-line border-b px-1 sm:grid-cols-[max-content_3rem_minmax(4rem,8rem)_minmax(0,1fr)_4.5rem] ${line.key === chosen ? "bg-raised" : "hover:bg-raised"}`}
                style={{ height: height_px, transform: `translateY(${item.start}px)` }}
              >
                <Parts
                  line={line}
                  isChosen={line.key === chosen}
                  choose={() => choose(line.key === chosen ? "" : line.key)}
                />
              </li>
            )
          );
        })}
      </ol>
    </section>
  );
}

interface PartsProps {
  line: Line;
  isChosen: boolean;
  choose: () => void;
}

function Parts({ line: { row }, isChosen, choose }: PartsProps) {
  const trace_id = traceOf(row);
  return (
    <>
      <span className="text-faint text-xs tabular-nums">
        <Time ns={row.time_ns} />
      </span>
      <span className="text-xs">
        <Severity number={row.severity} text={row.severity_text} />
      </span>
      <span className="truncate text-faint text-xs">{row.service}</span>
      <button
        type="button"
        aria-expanded={isChosen}
        className="col-span-4 row-start-2 truncate text-left font-mono text-xs sm:col-span-1 sm:row-start-auto"
        onClick={choose}
      >
        <MaskedText text={row.body.split("\n", 1)[0] || "(no text)"} />
      </button>
      <span className="text-right text-xs">
        {trace_id && (
          <TraceLink id={trace_id}>
            <span className="sr-only">Trace </span>
            <code>{trace_id.slice(0, 8)}</code>
          </TraceLink>
        )}
      </span>
    </>
  );
}
