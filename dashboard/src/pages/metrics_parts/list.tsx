import { type MetricName, useChangeSearch } from "../../api";
import { type Column, Table } from "../../components";
import { count } from "../../format";

interface Props {
  rows: MetricName[];
  chosen: string | undefined;
}

export function MetricList({ rows, chosen }: Props) {
  const change = useChangeSearch();
  const choose = (row: MetricName) =>
    change({ name: row.name, by: undefined, statistic: undefined });
  const columns: Column<MetricName>[] = [
    {
      title: "Metric",
      width: "minmax(0, 1fr)",
      cell: (row) => (
        <button
          type="button"
          className={`block w-full truncate text-left ${row.name === chosen ? "font-semibold text-accent" : ""}`}
          aria-current={row.name === chosen}
          title={row.name}
          onClick={(event) => {
            event.stopPropagation();
            choose(row);
          }}
        >
          {row.name}
        </button>
      ),
      sortBy: ({ name }) => name,
    },
    {
      title: "Points",
      width: "4.5rem",
      isNumber: true,
      cell: ({ points }) => count(points),
      sortBy: ({ points }) => points,
    },
  ];
  return (
    <Table
      label="Metrics"
      columns={columns}
      rows={rows}
      keyOf={({ name }) => name}
      minWidth="0"
      maxHeight="min(70vh, 20rem + 20vw)"
      rowHeight_px={36}
      chosenKey={chosen}
      onRow={choose}
    />
  );
}
