import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { useIsNarrow } from "./narrow";

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ReactNode;
  /** A CSS grid track; unset: a share of what is left. */
  width?: string;
  isNumber?: boolean;
  /** Left out where the window is narrow: the others must fit 312 pixels. */
  isWideOnly?: boolean;
  /** Where the window is narrow it has a line of its own, above the others: for long names. */
  isOwnLine?: boolean;
  /** The column can be sorted, greatest first at the first click. */
  sortBy?: (row: Row) => number | string;
}

interface Props<Row> {
  /** What the table lists, for screen readers. */
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  keyOf: (row: Row) => string;
  /** In a wide window: below this the table scrolls sideways in itself, so that the page does not. */
  minWidth?: string;
  /** How high it is at most before rows scroll (and only those that are seen exist). */
  maxHeight?: string;
  rowHeight_px?: number;
  /** The row that is chosen: it is scrolled to, where a link has named it. */
  chosenKey?: string | undefined;
  onRow?: (row: Row) => void;
  /** Called when the last rows come into view: fetch the next page. */
  onEnd?: () => void;
}

const SECOND_LINE_PX = 28;

/** Rows of equal height in a table; of many, only those in view are in the document. */
export function Table<Row>({
  label,
  columns: allColumns,
  rows,
  keyOf,
  minWidth = "36rem",
  maxHeight = "60vh",
  rowHeight_px = 40,
  chosenKey,
  onRow,
  onEnd,
}: Props<Row>) {
  const isNarrow = useIsNarrow();
  const columns = isNarrow ? narrowed(allColumns) : allColumns;
  const isTwoLined = isNarrow && columns.some(({ isOwnLine }) => isOwnLine);
  const height_px = rowHeight_px + (isTwoLined ? SECOND_LINE_PX : 0);
  const scroller = useRef<HTMLElement>(null);
  const [sorting, setSorting] = useState<{ title: string; sign: 1 | -1 }>();
  const sorted = useMemo(() => sortedBy(rows, allColumns, sorting), [rows, allColumns, sorting]);
  const asked = useRef(0);
  const virtual = useVirtualizer({
    count: sorted.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height_px,
    overscan: 12,
    getItemKey: (index) => keyOf(sorted[index] as Row),
    onChange: (instance) => {
      const last = instance.getVirtualItems().at(-1)?.index ?? 0;
      if (onEnd && sorted.length > asked.current && last >= sorted.length - 5) {
        asked.current = sorted.length;
        onEnd();
      }
    },
  });
  const hasRows = sorted.length > 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once; what is clicked is seen already
  useEffect(() => {
    const at = chosenKey ? sorted.findIndex((row) => keyOf(row) === chosenKey) : -1;
    if (at >= 0) virtual.scrollToIndex(at, { align: "center" });
  }, [hasRows]);
  const tracks = isTwoLined
    ? columns
        .slice(1)
        .map(({ isNumber }) => `minmax(0, ${isNumber ? 1 : 1.5}fr)`)
        .join(" ")
    : columns.map((column) => column.width ?? "minmax(0, 1fr)").join(" ");
  const grid = { display: "grid", gridTemplateColumns: tracks };
  return (
    <section
      ref={scroller}
      className="overflow-auto"
      style={{ maxHeight }}
      aria-label={label}
      tabIndex={0}
    >
      <div
        role="table"
        aria-label={label}
        aria-rowcount={sorted.length + 1}
        style={isNarrow ? undefined : { minWidth }}
      >
        <div role="rowgroup" className="sticky top-0 z-10 bg-panel">
          <div role="row" aria-rowindex={1} className="border-line border-b" style={grid}>
            {columns.map((column) => (
              <Heading
                key={column.title}
                column={column}
                isAcross={isTwoLined && column.isOwnLine === true}
                sign={sorting?.title === column.title ? sorting.sign : undefined}
                sort={(sign) => setSorting({ title: column.title, sign })}
              />
            ))}
          </div>
        </div>
        <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = sorted[item.index] as Row;
            return (
              <div
                key={item.key}
                role="row"
                tabIndex={-1}
                aria-rowindex={item.index + 2}
                className={`absolute inset-x-0 items-center border-line border-b hover:bg-raised ${onRow ? "cursor-pointer" : ""}`}
                style={{ ...grid, height: height_px, transform: `translateY(${item.start}px)` }}
                onClick={onRow && (() => onRow(row))}
              >
                {columns.map((column) => (
                  <div
                    key={column.title}
                    role="cell"
                    className={`truncate px-2 ${column.isNumber ? "text-right tabular-nums" : ""} ${isTwoLined && column.isOwnLine ? "col-span-full" : ""}`}
                  >
                    {column.cell(row)}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}

/** Those that a phone has room for, the one with a line of its own first. */
function narrowed<Row>(columns: Column<Row>[]): Column<Row>[] {
  const kept = columns.filter(({ isWideOnly }) => !isWideOnly);
  return [...kept.filter(({ isOwnLine }) => isOwnLine), ...kept.filter((one) => !one.isOwnLine)];
}

interface HeadingProps<Row> {
  column: Column<Row>;
  isAcross: boolean;
  sign: 1 | -1 | undefined;
  sort: (sign: 1 | -1) => void;
}

function Heading<Row>({ column, isAcross, sign, sort }: HeadingProps<Row>) {
  const side = column.isNumber ? "text-right" : "text-left";
  return (
    <div
      role="columnheader"
      className={`truncate px-2 font-medium text-faint ${side} ${isAcross ? "col-span-full pt-1" : "py-2"}`}
      aria-sort={sign ? (sign < 0 ? "descending" : "ascending") : undefined}
    >
      {column.sortBy ? (
        <button type="button" onClick={() => sort(sign === -1 ? 1 : -1)}>
          {column.title} <span aria-hidden="true">{sign ? (sign < 0 ? "↓" : "↑") : ""}</span>
        </button>
      ) : (
        column.title
      )}
    </div>
  );
}

function sortedBy<Row>(
  rows: Row[],
  columns: Column<Row>[],
  sorting: { title: string; sign: 1 | -1 } | undefined,
): Row[] {
  const by = columns.find((column) => column.title === sorting?.title)?.sortBy;
  if (!by || !sorting) return rows;
  return rows.toSorted((one, other) => {
    const [a, b] = [by(one), by(other)];
    return sorting.sign * (a < b ? -1 : a > b ? 1 : 0);
  });
}
