import { useNavigate } from "@tanstack/react-router";
import { type ServiceRow, useApi, useSearchText } from "../../api";
import { type Column, Duration, HealthMark, PageLink, Sparkline, Table } from "../../components";
import { healthOf, percent, rate } from "../../format";

const COLUMNS: Column<ServiceRow>[] = [
  {
    title: "Service",
    width: "minmax(7rem, 2fr)",
    cell: ({ service }) => (
      <PageLink to="/endpoints" search={{ service }}>
        {service}
      </PageLink>
    ),
    sortBy: ({ service }) => service,
  },
  {
    title: "Health",
    width: "7rem",
    cell: (row) => <HealthMark health={healthOf(row)} />,
    sortBy: ({ error_ratio }) => error_ratio,
  },
  {
    title: "Rate",
    width: "6rem",
    isNumber: true,
    cell: (row) => rate(row.rate),
    sortBy: (row) => row.rate,
  },
  {
    title: "Errors",
    width: "6rem",
    isNumber: true,
    cell: ({ error_ratio, errors }) => (
      <span title={`${errors} requests`}>{percent(error_ratio)}</span>
    ),
    sortBy: ({ error_ratio }) => error_ratio,
  },
  ...(["p50_ms", "p95_ms", "p99_ms"] as const).map(
    (name): Column<ServiceRow> => ({
      title: name.slice(0, 3),
      width: "5.5rem",
      isNumber: true,
      cell: (row) => <Duration ms={row[name]} />,
      sortBy: (row) => row[name],
    }),
  ),
  { title: "Requests", width: "8.5rem", cell: ({ service }) => <RateLine service={service} /> },
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
      minWidth="54rem"
      rowHeight_px={44}
      onRow={({ service }) => {
        void navigate({ to: "/endpoints", search: { ...search, service } as never });
      }}
    />
  );
}

function RateLine({ service }: { service: string }) {
  const { data } = useApi("/series", { service });
  const values = data?.rows.map((row) => row.rate) ?? [];
  const last = values.at(-1);
  return (
    <Sparkline
      values={values}
      label={
        last === undefined
          ? `Requests of ${service}: no minute yet`
          : `Requests of ${service} by the minute: last ${rate(last)}, most ${rate(Math.max(...values))}`
      }
    />
  );
}
