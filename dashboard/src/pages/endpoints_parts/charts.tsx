import { type SeriesRow, useApi } from "../../api";
import { Answer, Chart, Empty, type Series } from "../../components";
import type { Comparison } from "./comparing";
import { linesOf, ratesOf, toldMinutes } from "./lines";

interface Props {
  service: string;
  route: string;
  version: string;
  comparison: Comparison | undefined;
  /** A time was brushed, in seconds since 1970. */
  onSelect: (start_s: number, end_s: number) => void;
}

/** Rate, errors and duration over time, of the other time too where one is compared with. */
export function Charts({ service, route, version, comparison, onSelect }: Props) {
  const wanted = { service, route };
  const side = comparison?.now;
  const now = useApi(
    "/series",
    side ? { ...wanted, version: side.version ?? version, ...times(side) } : { ...wanted, version },
    side ? { bounds: null } : {},
  );
  const before = useApi(
    "/series",
    comparison
      ? { ...wanted, version: comparison.before.version ?? version, ...times(comparison.before) }
      : {},
    { bounds: null, enabled: comparison !== undefined },
  );
  const offset_s = comparison ? comparison.now.start - comparison.before.start : 0;
  return (
    <Answer
      query={now}
      isEmpty={({ rows }) => rows.length === 0 && !before.data?.rows.length}
      empty={
        <Empty what="No requests in this time" fill="Server spans of this route fill its charts." />
      }
    >
      {({ rows }) => (
        <Three
          now={rows}
          before={comparison ? (before.data?.rows ?? []) : []}
          offset_s={offset_s}
          labels={[comparison?.now.label ?? "", comparison?.before.label ?? ""]}
          onSelect={onSelect}
        />
      )}
    </Answer>
  );
}

function times({ start, end }: { start: number; end: number }) {
  return { start, end };
}

interface ThreeProps extends Pick<Props, "onSelect"> {
  now: SeriesRow[];
  before: SeriesRow[];
  offset_s: number;
  labels: [string, string];
}

function Three({ now, before, offset_s, labels, onSelect }: ThreeProps) {
  const lines = linesOf(toldMinutes(now, Date.now() / 1000), before, offset_s);
  const isCompared = labels[1] !== "";
  const both = (label: string, of: (rows: (SeriesRow | null)[]) => Series["values"]): Series[] => [
    { label: isCompared ? `${label}, ${labels[0]}` : label, values: of(lines.now), colour: 1 },
    ...(isCompared
      ? [{ label: `${label}, ${labels[1]}`, values: of(lines.before), colour: 6 as const }]
      : []),
  ];
  const shared = { times_s: lines.times_s, height_px: 160, syncKey: "endpoints", onSelect };
  const p95 = both("p95", (rows) => rows.map((row) => row?.p95_ms ?? null));
  return (
    <div className="grid gap-4 xl:grid-cols-3">
      <Chart {...shared} title="Rate" unit="{request}/s" series={both("Requests", ratesOf)} />
      <Chart
        {...shared}
        title="Errors"
        unit="%"
        series={both("Failed", (rows) => rows.map((row) => (row ? row.error_ratio * 100 : null)))}
      />
      <Chart
        {...shared}
        title="Duration"
        unit="ms"
        series={
          isCompared
            ? p95
            : [
                { label: "p50", values: lines.now.map((row) => row?.p50_ms ?? null), colour: 4 },
                ...p95,
                { label: "p99", values: lines.now.map((row) => row?.p99_ms ?? null), colour: 2 },
              ]
        }
      />
    </div>
  );
}
