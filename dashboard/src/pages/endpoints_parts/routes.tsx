import { type ReactNode, useMemo } from "react";
import { type Search, useSearchText } from "../../api";
import { type Column, Duration, HealthMark, PageLink, Table } from "../../components";
import { healthOf, percent, rate } from "../../format";
import { type ComparedRow, keyOfRoute } from "./comparing";

interface Props {
  rows: ComparedRow[];
  isCompared: boolean;
  /** The other time has no requests at all: then no route is new. */
  isNothingBefore: boolean;
  /** The route whose details are shown. */
  chosen: { service: string; route: string };
}

/** Rate, errors and duration of each route; choosing one shows its charts. */
export function Routes({ rows, isCompared, isNothingBefore, chosen }: Props) {
  const search = useSearchText();
  const columns = useMemo(
    () => columnsOf(search, isCompared, isNothingBefore, chosen.service, chosen.route),
    [search, isCompared, isNothingBefore, chosen.service, chosen.route],
  );
  const isChosen = (row: ComparedRow) =>
    row.route !== "" && row.service === chosen.service && row.route === chosen.route;
  const shown = rows.find(isChosen);
  return (
    <Table
      label="Routes"
      columns={columns}
      rows={rows}
      keyOf={keyOfRoute}
      minWidth="44rem"
      maxHeight="24rem"
      rowHeight_px={isCompared ? 56 : 40}
      chosenKey={shown && keyOfRoute(shown)}
    />
  );
}

/** Just what "31.5/min" and "21.2 ms" need: a phone has 310 pixels for all columns. */
const NUMBER_WIDTHS: Record<string, string> = {
  Rate: "minmax(4.9rem, 7rem)",
  p95: "minmax(4.8rem, 7rem)",
};

/** Requests that no route matched have no charts of their own. */
function NoRoute({ row }: { row: ComparedRow }) {
  return (
    <span title="No route matched these requests, or their spans name none">
      <HealthMark health={healthOf(row)} isShort /> {row.method && `${row.method} `}(no route)
    </span>
  );
}

/** A phone has no room for the word. */
function Was() {
  return <span className="sr-only sm:not-sr-only">was</span>;
}

function columnsOf(
  search: Search,
  isCompared: boolean,
  isNothingBefore: boolean,
  service: string,
  route: string,
): Column<ComparedRow>[] {
  const unknown = isNothingBefore ? "–" : "new";
  const number = (
    title: string,
    value: (row: ComparedRow) => number,
    show: (value: number) => ReactNode,
    isWideOnly = false,
  ): Column<ComparedRow> => ({
    title,
    width: NUMBER_WIDTHS[title] ?? "minmax(4.5rem, 7rem)",
    isNumber: true,
    isWideOnly,
    sortBy: value,
    cell: (row) => (
      <>
        {show(value(row))}
        {isCompared && (
          <span className="block text-faint text-xs">
            {row.before ? (
              <>
                <Was /> {show(value(row.before))}
              </>
            ) : (
              unknown
            )}
          </span>
        )}
      </>
    ),
  });
  return [
    {
      title: "Route",
      width: "minmax(5.1rem, 3fr)",
      isOwnLine: true,
      sortBy: (row) => row.route,
      cell: (row) => {
        const isChosen = row.service === service && row.route === route;
        if (row.route === "") return <NoRoute row={row} />;
        return (
          <span className={isChosen ? "font-semibold" : ""}>
            <HealthMark health={healthOf(row)} isShort />{" "}
            <PageLink
              to="/endpoints"
              search={{ ...search, service: row.service, route: row.route }}
              {...(isChosen ? { className: "underline" } : {})}
            >
              {row.method && `${row.method} `}
              {row.route}
            </PageLink>
          </span>
        );
      },
    },
    {
      title: "Service",
      width: "minmax(5rem, 1fr)",
      isWideOnly: true,
      sortBy: (row) => row.service,
      cell: (row) => row.service,
    },
    number("Rate", (row) => row.rate, rate),
    {
      ...number("Errors", (row) => row.error_ratio, percent),
      cell: (row) => (
        <>
          {row.errors > 0 ? (
            <PageLink
              to="/traces"
              search={{ service: row.service, route: row.route, errors: "true" }}
            >
              <span title={`${row.errors} requests; their traces`}>{percent(row.error_ratio)}</span>
            </PageLink>
          ) : (
            percent(row.error_ratio)
          )}
          {isCompared && (
            <span className="block text-faint text-xs">
              {row.before ? (
                <>
                  <Was /> {percent(row.before.error_ratio)}
                </>
              ) : (
                unknown
              )}
            </span>
          )}
        </>
      ),
    },
    ...(["p50_ms", "p95_ms", "p99_ms"] as const).map((name) =>
      number(
        name.slice(0, 3),
        (row) => row[name],
        (ms) => <Duration ms={ms} />,
        name !== "p95_ms",
      ),
    ),
  ];
}
