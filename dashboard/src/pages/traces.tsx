import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useChangeSearch, useSearchText, useTimeRange } from "../api";
import { Empty, Failed, Loading, Panel, Time, useOver } from "../components";
import { count } from "../format";
import { filtersOf, parametersOf, searchOf, setCount } from "./traces_parts/filters";
import { List } from "./traces_parts/list";
import { Scatter } from "./traces_parts/scatter";
import { Search } from "./traces_parts/search";
import { useTraces } from "./traces_parts/use_traces";

/** Traces by what their spans have, newest first. */
export default function Traces() {
  const text = JSON.stringify(filtersOf(useSearchText()));
  const filters = useMemo(() => JSON.parse(text) as ReturnType<typeof filtersOf>, [text]);
  const parameters = useMemo(() => parametersOf(filters), [filters]);
  const change = useChangeSearch();
  const queries = useQueryClient();
  const [range] = useTimeRange();
  const [isHeld, setHeld] = useState(false);
  // No row moves away under the pointer.
  const [isOver, over] = useOver();
  const traces = useTraces(parameters, !isHeld && !isOver);
  const { rows, steps, reached_ns, error, hasNextPage, isFetchingNextPage } = traces;
  const moves = "preset" in range;
  const isFollowing = moves && !isHeld && steps <= 1;
  const isSearching = traces.isPending || (rows.length === 0 && isFetchingNextPage);

  const more = () => {
    if (hasNextPage && !isFetchingNextPage) void traces.fetchNextPage();
  };
  const follow = () => {
    if (isFollowing) {
      setHeld(true);
      return;
    }
    setHeld(false);
    // From the newest on again: what was read further back goes.
    void queries.resetQueries({ queryKey: traces.queryKey });
  };
  const onBox = (start_s: number, end_s: number, least_ms: number, most_ms: number) =>
    change({
      range: undefined,
      start: start_s.toFixed(3),
      end: end_s.toFixed(3),
      least: least_ms.toPrecision(3),
      most: most_ms.toPrecision(3),
    });

  return (
    <>
      <Search filters={filters} set={(chosen) => change(searchOf(chosen))} />
      <Panel
        title="Traces"
        aside={
          moves && (
            <button type="button" className="control" aria-pressed={!isFollowing} onClick={follow}>
              {isFollowing ? "Hold" : "Newest"}
            </button>
          )
        }
      >
        {error && <Failed error={error} retry={() => void traces.refetch()} />}
        {isSearching && !error && <Loading />}
        {!isSearching && !error && rows.length === 0 && (
          <NoTraces isFiltered={setCount(filters) > 0} />
        )}
        {rows.length > 0 && (
          <>
            <Scatter rows={rows} onBox={onBox} />
            <div {...over}>
              <List rows={rows} onEnd={more} />
            </div>
          </>
        )}
        {!traces.isPending && (rows.length > 0 || hasNextPage) && (
          <p className="mt-2 flex flex-wrap items-center gap-3 text-faint" role="status">
            <span>
              {count(rows.length)} {rows.length === 1 ? "trace" : "traces"}
              {hasNextPage
                ? reached_ns > 0 && (
                    <>
                      , searched back to <Time ns={reached_ns} />
                    </>
                  )
                : ", all that there are in this time"}
            </span>
            {hasNextPage && (
              <button
                type="button"
                className="control"
                disabled={isFetchingNextPage}
                onClick={more}
              >
                {isFetchingNextPage ? "Searching…" : "Further back"}
              </button>
            )}
          </p>
        )}
      </Panel>
    </>
  );
}

function NoTraces({ isFiltered }: { isFiltered: boolean }) {
  return (
    <Empty
      what={isFiltered ? "No trace fits in this time" : "No traces in this time"}
      fill={
        isFiltered ? (
          "All conditions must hold for one span of a trace. A longer time, or fewer conditions, may find some."
        ) : (
          <>
            Spans fill this view: start a service with{" "}
            <code>clarity-instrument uvicorn app:app</code>, or send OTLP traces from any language
            to the address that <code>clarity dashboard</code> printed.
          </>
        )
      }
    />
  );
}
