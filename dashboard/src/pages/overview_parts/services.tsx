import { useNavigate } from "@tanstack/react-router";
import { type ServiceRow, useApi, useSearchText, wholeMinutes } from "../../api";
import { type Column, Duration, HealthMark, PageLink, Sparkline, Table } from "../../components";
import { healthOf, percent, rate } from "../../format";

const COLUMNS: Column<ServiceRow>[] = [
  {
    title: "Service",
    width: "minmax(5rem, 2fr)",
    isOwnLine: true,
    cell: (row) => (
      <>
        <HealthMark health={healthOf(row)} isShort />{" "}
        <PageLink to="/endpoints" search={{ service: row.service }}>
          {row.service}
        </PageLink>
      </>
    ),
    sortBy: ({ service }) => service,
  },
  {
    title: "Rate",
    width: "minmax(4.5rem, 6rem)",
    isNumber: true,
    cell: (row) => rate(row.rate),
    sortBy: (row) => row.rate,
  },
  {
    title: "Errors",
    width: "minmax(4rem, 6rem)",
    isNumber: true,
    cell: ({ error_ratio, errors }) => (
      <span title={`${errors} requests`}>{percent(error_ratio)}</span>
    ),
    sortBy: ({ error_ratio }) => error_ratio,
  },
  ...(["p50_ms", "p95_ms", "p99_ms"] as const).map(
    (name): Column<ServiceRow> => ({
      title: name.slice(0, 3),
      width: "minmax(4.5rem, 6rem)",
      isNumber: true,
      isWideOnly: name !== "p95_ms",
      cell: (row) => <Duration ms={row[name]} />,
      sortBy: (row) => row[name],
    }),
  ),
  {
    title: "By the minute",
    width: "8.5rem",
    isWideOnly: true,
    cell: ({ service }) => <RateLine service={service} />,
  },
];

export function Services({ rows }: { rows: ServiceRow[] }) {
  const navigate = useNavigate();
  const search = useSearchText();
  return (
    <Table
      label="Services"
      columns={COLUMNS}
      rows={rows}
      keyOf={({ service }) => service}
      minWidth="46rem"
      rowHeight_px={44}
      onRow={({ service }) => {
        void navigate({ to: "/endpoints", search: { ...search, service } as never });
      }}
    />
  );
}

function RateLine({ service }: { service: string }) {
  const { data } = useApi("/series", { service });
  const minutes = wholeMinutes(data?.rows ?? [], Date.now() / 1000);
  const values = minutes.map((row) => row.rate);
  const last = values.at(-1);
  const label =
    last === undefined
      ? `Requests of ${service}: no minute yet`
      : `Requests of ${service} by the minute: last ${rate(last)}, most ${rate(Math.max(...values))}`;
  if (values.length < 2) {
    return (
      <span role="img" aria-label={label} className="text-faint text-xs">
        after two minutes
      </span>
    );
  }
  return <Sparkline values={values} label={label} />;
}
