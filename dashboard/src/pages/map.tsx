import { type MapRow, useApi } from "../api";
import {
  Answer,
  type Column,
  Duration,
  Empty,
  PageLink,
  Panel,
  Table,
  useIsNarrow,
} from "../components";
import { percent, rate } from "../format";
import { Graph } from "./map_parts/graph";
import { failed, kindOf } from "./map_parts/nodes";

/** Who calls whom, how often, and how often that fails. */
export default function ServiceMap() {
  const calls = useApi("/map");
  const services = useApi("/services");
  const served = services.data?.rows ?? [];
  const isNarrow = useIsNarrow();
  const columns = columnsOf(new Set(served.map(({ service }) => service)), isNarrow);
  return (
    <Answer
      query={calls}
      isEmpty={({ rows }) => rows.length === 0 && served.length === 0}
      empty={
        <Empty
          what="No services and no calls in this time"
          fill="Server spans put services on the map, client spans what they call: HTTP clients, Redis and other databases, queues, AWS."
        />
      }
    >
      {({ rows }) => (
        <>
          <Panel title="Map" aside="dashed: known by its callers alone">
            <Graph calls={rows} services={served} />
          </Panel>
          <Panel title="Calls" aside="as a table">
            {rows.length > 0 ? (
              <Table
                label="Calls"
                columns={columns}
                rows={rows}
                keyOf={({ service, peer }) => `${service} ${peer}`}
                maxHeight="24rem"
              />
            ) : (
              <p className="text-faint">No service called another in this time.</p>
            )}
          </Panel>
        </>
      )}
    </Answer>
  );
}

function columnsOf(services: Set<string>, isNarrow: boolean): Column<MapRow>[] {
  const nameOf = (name: string, isService: boolean) =>
    isService ? (
      <PageLink to="/endpoints" search={{ service: name }}>
        {name}
      </PageLink>
    ) : (
      <span title={name}>{name}</span>
    );
  const from: Column<MapRow> = {
    title: "From",
    width: "minmax(5rem, 2fr)",
    sortBy: ({ service }) => service,
    cell: ({ service }) => nameOf(service, true),
  };
  const to: Column<MapRow> = {
    title: "To",
    width: "minmax(5rem, 2fr)",
    sortBy: ({ peer }) => peer,
    cell: ({ peer }) => nameOf(peer, services.has(peer)),
  };
  // Beside numbers, a phone has no room for the names of hosts.
  const call: Column<MapRow> = {
    title: "From → To",
    isOwnLine: true,
    sortBy: ({ service, peer }) => `${service} ${peer}`,
    cell: ({ service, peer }) => (
      <span className="wrap-anywhere line-clamp-2 whitespace-normal leading-tight">
        {nameOf(service, true)} → {nameOf(peer, services.has(peer))}
      </span>
    ),
  };
  return [
    ...(isNarrow ? [call] : [from, to]),
    {
      title: "Kind",
      width: "6rem",
      isWideOnly: true,
      sortBy: ({ peer }) => (services.has(peer) ? "service" : kindOf(peer)),
      cell: ({ peer }) => (services.has(peer) ? "service" : kindOf(peer)),
    },
    {
      title: "Rate",
      width: "6rem",
      isNumber: true,
      sortBy: (row) => row.rate,
      cell: (row) => rate(row.rate),
    },
    {
      title: "Failed",
      width: "4.5rem",
      isNumber: true,
      sortBy: (row) => failed(row) ?? -1,
      cell: (row) => (
        <span
          title={row.errors === null ? "Jaeger tells calls alone" : `${row.errors} of ${row.calls}`}
        >
          {percent(failed(row))}
        </span>
      ),
    },
    {
      title: "Mean",
      width: "5rem",
      isNumber: true,
      sortBy: (row) => row.mean_ms ?? -1,
      cell: (row) => <Duration ms={row.mean_ms} />,
    },
  ];
}
