import { useNavigate } from "@tanstack/react-router";
import { type TraceRow, useSearchText } from "../../api";
import {
  type Column,
  Duration,
  HttpStatus,
  MaskedText,
  Table,
  Time,
  TraceLink,
} from "../../components";
import { count, requestName } from "../../format";

interface Props {
  rows: TraceRow[];
  onEnd: () => void;
}

/** The traces, newest first; a row opens its trace. */
export function List({ rows, onEnd }: Props) {
  const navigate = useNavigate();
  const { range, start, end } = useSearchText();
  const longest_ms = rows.reduce((most, { duration_ms }) => Math.max(most, duration_ms), 0);
  return (
    <Table
      label="Traces"
      columns={columnsFor(longest_ms)}
      rows={rows}
      keyOf={({ trace_id }) => trace_id}
      minWidth="44rem"
      maxHeight="65vh"
      onEnd={onEnd}
      onRow={({ trace_id }) => {
        const kept = { range, start, end } as never;
        void navigate({ to: `/traces/${trace_id}` as string, search: kept });
      }}
    />
  );
}

function columnsFor(longest_ms: number): Column<TraceRow>[] {
  return [
    {
      title: "Start",
      width: "9.5rem",
      cell: (row) => (
        <span className="text-faint tabular-nums">
          <Time ns={row.start_ns} />
        </span>
      ),
    },
    {
      title: "Trace",
      width: "minmax(7rem, 3fr)",
      isOwnLine: true,
      // The link stands apart from the text beside it: its colour alone would not do.
      cell: (row) => (
        <span className="flex items-baseline gap-1.5">
          {row.errors > 0 && (
            <span className="font-bold text-bad" title={`${row.errors} spans with errors`}>
              <span aria-hidden="true">!</span>
              <span className="sr-only">{row.errors} errors: </span>
            </span>
          )}
          <span className="truncate">
            <TraceLink id={row.trace_id}>
              {row.name ? (
                <MaskedText text={requestName(row.name, row.path ?? "")} />
              ) : (
                "(the root has not arrived)"
              )}
            </TraceLink>
          </span>
          <span className="max-w-1/2 shrink-0 truncate text-faint text-xs">{row.service}</span>
        </span>
      ),
    },
    {
      title: "Status",
      width: "minmax(3.25rem, 4.5rem)",
      isNumber: true,
      cell: (row) => <HttpStatus status={row.http_status ?? 0} isError={row.errors > 0} />,
    },
    {
      title: "Spans",
      width: "4.5rem",
      isNumber: true,
      isWideOnly: true,
      cell: (row) => count(row.spans),
      sortBy: (row) => row.spans,
    },
    {
      title: "Duration",
      width: "minmax(5.5rem, 2fr)",
      isNumber: true,
      sortBy: (row) => row.duration_ms,
      cell: (row) => (
        <span className="flex items-center justify-end gap-2">
          <span aria-hidden="true" className="hidden h-2 grow rounded-xs bg-raised sm:block">
            <span
              className={`block h-2 rounded-xs bg-current ${row.errors > 0 ? "text-bad" : "text-series-1"}`}
              style={{ width: `max(${(row.duration_ms / (longest_ms || 1)) * 100}%, 1px)` }}
            />
          </span>
          <span className="w-16 shrink-0">
            <Duration ms={row.duration_ms} />
          </span>
        </span>
      ),
    },
  ];
}
