import { useInfiniteQuery } from "@tanstack/react-query";
import { type ApiError, ask, boundsOf, useTimeRange } from "../../api";
import type { LogRow, Page } from "../../api/types";
import type { Filter } from "./tail";

const PAGE_ROWS = 200;

/**
 * Stored records page by page, the newest first, within the page's time range. Not asked again
 * by itself: what is new comes by the live feed.
 */
export function useStored(filter: Filter) {
  const [range] = useTimeRange();
  const { severity, ...texts } = filter;
  return useInfiniteQuery<Page<LogRow>, ApiError, Page<LogRow>, unknown[], string>({
    queryKey: ["/logs", "pages", filter, range],
    queryFn: ({ pageParam, signal }) => {
      const bounds = boundsOf(range, Date.now() / 1000);
      const wanted = { ...texts, severity: severity || undefined, limit: PAGE_ROWS };
      return ask("/logs", { ...bounds, ...wanted, cursor: pageParam }, signal);
    },
    initialPageParam: "",
    getNextPageParam: ({ next }) => next || undefined,
    select: ({ pages }) => ({
      rows: pages.flatMap(({ rows }) => rows),
      next: pages.at(-1)?.next ?? "",
      reached_ns: pages.at(-1)?.reached_ns ?? 0,
    }),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
}
