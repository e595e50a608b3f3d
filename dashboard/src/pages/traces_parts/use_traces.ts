import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import {
  type ApiError,
  ask,
  boundsOf,
  type Page,
  type Parameters,
  REFRESH_MS,
  type TraceRow,
  useTimeRange,
} from "../../api";
import { type Delta, useLive } from "../../live";

const PAGE_ROWS = 100;
/** What is pushed is in the store a moment later. */
const STORED_AFTER_MS = 400;
/** A search that found little goes on by itself so often: each takes a second at most. */
const MOST_STEPS = 8;
const ENOUGH_ROWS = 20;

/**
 * The traces that fit, newest first, page by page. While `isFollowing` the first page is asked
 * again when requests arrive; whoever goes further back reads in peace.
 */
export function useTraces(parameters: Parameters, isFollowing: boolean) {
  const [range] = useTimeRange();
  const queries = useQueryClient();
  const queryKey = useMemo(() => ["/traces", "pages", parameters, range], [parameters, range]);
  const moves = "preset" in range;
  const query = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) => {
      const within = boundsOf(range, Date.now() / 1000);
      return ask(
        "/traces",
        { ...within, ...parameters, limit: PAGE_ROWS, cursor: pageParam },
        signal,
      );
    },
    initialPageParam: "",
    getNextPageParam: ({ next }: Page<TraceRow>) => next || undefined,
    refetchInterval: ({ state }) =>
      moves && isFollowing && (state.data?.pages.length ?? 0) <= 1 ? REFRESH_MS : false,
    retry: (failures: number, error: ApiError) => failures < 2 && error.isUnreachable,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const { data, hasNextPage, isFetching, isError, fetchNextPage } = query;
  const rows = useMemo(() => distinct(data?.pages ?? []), [data]);
  const steps = data?.pages.length ?? 0;

  useEffect(() => {
    const isShort = rows.length < ENOUGH_ROWS && steps > 0 && steps < MOST_STEPS;
    if (isShort && hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [rows.length, steps, hasNextPage, isFetching, isError, fetchNextPage]);

  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const following = useRef(isFollowing);
  useEffect(() => {
    following.current = isFollowing;
  });
  const hear = ({ requests = [] }: Delta) => {
    if (requests.length === 0 || timer.current || steps > 1) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      if (following.current) void queries.invalidateQueries({ queryKey });
    }, STORED_AFTER_MS);
  };
  const service = String(parameters.service ?? "");
  useLive(moves && isFollowing ? { topics: ["requests"], service } : undefined, hear);

  return { ...query, rows, steps, reached_ns: data?.pages.at(-1)?.reached_ns ?? 0, queryKey };
}

/** A trace may stand on two pages, for two of its spans. */
export function distinct(pages: Page<TraceRow>[]): TraceRow[] {
  const rows = new Map<string, TraceRow>();
  for (const row of pages.flatMap((page) => page.rows)) {
    if (!rows.has(row.trace_id)) rows.set(row.trace_id, row);
  }
  return [...rows.values()].sort((one, other) => other.start_ns - one.start_ns);
}
