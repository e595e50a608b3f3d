import { defaultRangeExtractor, useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { MaskedText, Severity } from "../../components";
import { duration } from "../../format";
import { Bar, LogMark } from "./bars";
import type { Stretch } from "./critical_path";
import { canClose, type WaterfallRow } from "./rows";
import type { Tree } from "./tree";
import { useGestures, type Zoom } from "./use_zoom";
import { around, moved, type View, zoomed } from "./zoom";
import { KEYS } from "./zoom_tools";

const ROW_PX = 32;
/** A key zooms to the half, and moves by a quarter of what is shown. */
const STEP = 0.5;
const MOVE = 0.25;
const TICKS = [0, 0.25, 0.5, 0.75, 1];
const GRID =
  "grid grid-cols-[minmax(9rem,1fr)_minmax(0,1fr)] sm:grid-cols-[minmax(14rem,2fr)_minmax(0,3fr)]";

interface Props {
  tree: Tree;
  rows: WaterfallRow[];
  closed: ReadonlySet<number>;
  setClosed: (closed: ReadonlySet<number>) => void;
  withLogs: boolean;
  path: Map<number, Stretch[]>;
  colours: Map<string, number>;
  found: ReadonlySet<number>;
  /** The row that the keyboard is on. */
  active: string;
  setActive: (key: string) => void;
  selected: number;
  select: (node: number) => void;
  zoom: Zoom;
}

/**
 * The spans over time, as a treegrid: of 10,000 rows only those in view are in the document.
 * Arrows go up, down, in and out; Home, End and the page keys far; Enter opens the span. Plus,
 * minus, 0, Z and Shift with the arrows zoom and move in time.
 */
export function Waterfall(props: Props) {
  const { tree, rows, closed, setClosed, withLogs, active, setActive, select, zoom } = props;
  const { view, setView } = zoom;
  const scroller = useRef<HTMLDivElement>(null);
  const axis = useRef<HTMLDivElement>(null);
  const drawn = useGestures(scroller, axis, zoom, tree.duration_ms);
  const at = Math.max(
    rows.findIndex(({ key }) => key === active),
    0,
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 10,
    scrollPaddingStart: ROW_PX + 4,
    getItemKey: (index) => rows[index]?.key ?? index,
    // The active row is in the document wherever it was scrolled to: aria names it.
    rangeExtractor: (range) =>
      [...new Set([...defaultRangeExtractor(range), at])].sort((a, b) => a - b),
  });
  const length = rows.length;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when the active row is another
  useEffect(() => {
    if (at < length) virtual.scrollToIndex(at);
  }, [active]);

  const go = (index: number) => {
    const row = rows[Math.min(Math.max(index, 0), rows.length - 1)];
    if (row) setActive(row.key);
  };
  const setOpen = (node: number, isOpen: boolean) => {
    const changed = new Set(closed);
    if (isOpen) changed.delete(node);
    else changed.add(node);
    setClosed(changed);
  };
  const zoomBy = (factor: number, node: number) => {
    const { from_ms, to_ms }: View = tree.nodes[node] ?? view;
    // At the span that the keyboard is on, where that is in view.
    const middle_ms = (Math.max(from_ms, view.from_ms) + Math.min(to_ms, view.to_ms)) / 2;
    const at_ms = Math.min(Math.max(middle_ms, view.from_ms), view.to_ms);
    setView(zoomed(view, factor, at_ms, tree.duration_ms));
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const row = rows[at];
    if (!row) return;
    const canBeClosed = !row.log && canClose(tree, row.node, withLogs);
    const isOpen = canBeClosed && !closed.has(row.node);
    const page = Math.max(Math.floor((scroller.current?.clientHeight ?? 0) / ROW_PX) - 2, 1);
    const parent = row.log ? row.node : (tree.nodes[row.node]?.parent ?? -1);
    switch (event.key) {
      case "ArrowDown":
        go(at + 1);
        break;
      case "ArrowUp":
        go(at - 1);
        break;
      case "PageDown":
        go(at + page);
        break;
      case "PageUp":
        go(at - page);
        break;
      case "Home":
        go(0);
        break;
      case "End":
        go(rows.length - 1);
        break;
      case "+":
      case "=":
        zoomBy(STEP, row.node);
        break;
      case "-":
        zoomBy(1 / STEP, row.node);
        break;
      case "0":
        setView(null);
        break;
      case "z":
      case "Z": {
        const node = tree.nodes[row.node];
        if (node) setView(around(node.from_ms, node.to_ms, tree.duration_ms));
        break;
      }
      case "ArrowRight":
        if (event.shiftKey) setView(moved(view, MOVE, tree.duration_ms));
        else if (isOpen) go(at + 1);
        else if (canBeClosed) setOpen(row.node, true);
        break;
      case "ArrowLeft":
        if (event.shiftKey) setView(moved(view, -MOVE, tree.duration_ms));
        else if (isOpen) setOpen(row.node, false);
        else if (parent !== -1) setActive(`s${parent}`);
        break;
      case "Enter":
      case " ":
        if (row.node !== -1) select(row.node);
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  return (
    <div
      ref={scroller}
      role="treegrid"
      aria-label="Spans of the trace"
      aria-rowcount={rows.length + 1}
      aria-activedescendant={rows[at] && idOf(rows[at])}
      aria-readonly="true"
      aria-describedby={KEYS}
      aria-keyshortcuts="+ - 0 Z Shift+ArrowLeft Shift+ArrowRight"
      tabIndex={0}
      onKeyDown={pressed}
      className="group max-h-[70vh] overflow-y-auto overflow-x-hidden"
      data-testid="waterfall"
    >
      <div role="rowgroup" className="sticky top-0 z-10 bg-panel">
        <div
          role="row"
          aria-rowindex={1}
          className={`${GRID} border-line border-b`}
          style={{ height: ROW_PX }}
        >
          <div role="columnheader" className="px-1 py-1.5 font-medium text-faint">
            Span
          </div>
          <div
            ref={axis}
            role="columnheader"
            className="relative cursor-crosshair select-none text-faint text-xs"
            onDoubleClick={() => setView(null)}
          >
            <span className="sr-only">Time</span>
            {TICKS.map((share) => (
              <span
                key={share}
                aria-hidden="true"
                className={`absolute top-2 whitespace-nowrap ${share === 0 || share === 1 ? "" : "hidden -translate-x-1/2 md:block"}`}
                style={share === 1 ? { right: 4 } : { left: `${share * 100}%` }}
              >
                {tickOf(view, share)}
              </span>
            ))}
            {drawn && (
              <span
                aria-hidden="true"
                className="pointer-events-none absolute top-0 z-20 border-accent border-x bg-accent/20"
                style={{
                  left: drawn.from_px,
                  width: drawn.to_px - drawn.from_px,
                  height: drawn.height_px,
                }}
              />
            )}
          </div>
        </div>
      </div>
      <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          return (
            <Row
              key={item.key}
              {...props}
              row={row}
              index={item.index}
              top_px={item.start}
              isActive={item.index === at}
              setOpen={setOpen}
            />
          );
        })}
      </div>
    </div>
  );
}

/** Times of the trace's begin; within a trace they would look alike, so there from the first on. */
function tickOf({ from_ms, to_ms }: View, share: number): string {
  if (share === 0 || from_ms === 0) return duration(from_ms + (to_ms - from_ms) * share);
  return `+${duration((to_ms - from_ms) * share)}`;
}

const idOf = (row: WaterfallRow) => `row-${row.key}`;

interface RowProps extends Props {
  row: WaterfallRow;
  index: number;
  top_px: number;
  isActive: boolean;
  setOpen: (node: number, isOpen: boolean) => void;
}

function Row({ row, index, top_px, isActive, setOpen, ...props }: RowProps) {
  const { tree, closed, withLogs, found, selected, select, setActive } = props;
  const canBeClosed = !row.log && canClose(tree, row.node, withLogs);
  const isOpen = canBeClosed && !closed.has(row.node);
  const isSelected = !row.log && row.node === selected;
  const background = isSelected ? "bg-raised" : !row.log && found.has(row.node) ? "bg-warn/15" : "";
  const indent_px = Math.min(row.level - 1, 24) * 10;
  return (
    <div
      role="row"
      id={idOf(row)}
      aria-rowindex={index + 2}
      aria-level={row.level}
      aria-expanded={canBeClosed ? isOpen : undefined}
      aria-selected={isSelected}
      className={`${GRID} absolute inset-x-0 cursor-pointer items-center border-line/60 border-b hover:bg-raised ${background} ${isActive ? "group-focus-visible:outline-2 group-focus-visible:-outline-offset-2 group-focus-visible:outline-accent" : ""}`}
      style={{ height: ROW_PX, transform: `translateY(${top_px}px)` }}
      onClick={() => {
        setActive(row.key);
        if (row.node !== -1) select(row.node);
      }}
    >
      <div
        role="gridcell"
        className="flex min-w-0 items-center gap-1 pr-2"
        style={{ paddingLeft: indent_px }}
      >
        {/* For the pointer; the keyboard has the arrows. */}
        <span
          aria-hidden="true"
          data-toggle={canBeClosed ? row.node : undefined}
          className="w-4 shrink-0 text-center text-faint"
          onClick={(event) => {
            if (!canBeClosed) return;
            event.stopPropagation();
            setOpen(row.node, !isOpen);
          }}
        >
          {canBeClosed ? (isOpen ? "▾" : "▸") : ""}
        </span>
        {row.log ? <LogName row={row} /> : <SpanName {...props} node={row.node} isOpen={isOpen} />}
      </div>
      <div role="gridcell" className="relative h-full min-w-0 select-none">
        {row.log ? (
          <LogMark tree={tree} view={props.zoom.view} log={row.log} />
        ) : (
          <Bar {...props} tree={tree} view={props.zoom.view} at={row.node} />
        )}
      </div>
    </div>
  );
}

function SpanName({ tree, node: at, isOpen, colours }: Props & { node: number; isOpen: boolean }) {
  const node = tree.nodes[at];
  if (!node) return null;
  const { span } = node;
  const hidesError = !isOpen && node.hasErrorBelow && !node.isError;
  return (
    <>
      <span aria-hidden="true" className={`text-series-${colours.get(span.service) ?? 6}`}>
        ▮
      </span>
      <span className="truncate" title={`${span.service}: ${span.name}`}>
        {node.isError && <Mark text="!" about="error" />}
        {hidesError && <Mark text="!" about="an error below" />}
        {node.isOrphan && <Mark text="⤴" about="its parent is not there" isWarning />}
        {node.isCyclic && <Mark text="↻" about="its parents are circular" isWarning />}
        <MaskedText text={span.name || "(no name)"} />{" "}
        <span className="text-faint text-xs">{span.service}</span>
        {!isOpen && node.below > 0 && <span className="text-faint text-xs"> +{node.below}</span>}
      </span>
    </>
  );
}

function Mark({ text, about, isWarning }: { text: string; about: string; isWarning?: boolean }) {
  return (
    <span className={`font-bold ${isWarning ? "text-warn" : "text-bad"}`} title={about}>
      <span aria-hidden="true">{text} </span>
      <span className="sr-only">{about}: </span>
    </span>
  );
}

function LogName({ row: { log } }: { row: WaterfallRow }) {
  if (!log) return null;
  return (
    <span className="truncate text-xs" title={log.body}>
      <span className="sr-only">Log: </span>
      <Severity number={log.severity} text={log.severity_text} />{" "}
      <span className="font-mono">
        <MaskedText text={log.body} />
      </span>
    </span>
  );
}
