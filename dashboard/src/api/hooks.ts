import { keepPreviousData, type UseQueryResult, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { type ApiError, ask, type Parameters } from "./ask";
import { type Bounds, boundsOf, rangeOf, searchOf, type TimeRange } from "./range";
import type { Answers } from "./types";

/** How often a moving range is asked again, while the tab is seen. */
export const REFRESH_MS = 5000;
/** The same of which metrics there are: all points are counted, and new names are rare. */
const NAMES_REFRESH_MS = 30_000;

export type Search = Record<string, string | string[] | undefined>;
export type Answered<Data> = UseQueryResult<Data, ApiError>;

/** The address's search parameters, as text. */
export function useSearchText(): Search {
  return useSearch({ strict: false }) as Search;
}

/** One search parameter, empty where it is not there, and a setter that keeps the others. */
export function useSearchParameter(name: string): [string, (value: string) => void] {
  const value = useSearchText()[name];
  const change = useChangeSearch();
  const set = useCallback((text: string) => change({ [name]: text }), [change, name]);
  return [(Array.isArray(value) ? value[0] : value) ?? "", set];
}

/**
 * Changes some search parameters; those that become empty go. `replace`: the browser's way
 * back does not lead through each change, as for text while it is typed.
 */
export function useChangeSearch(): (changes: Search, replace?: boolean) => void {
  const navigate = useNavigate();
  return useCallback(
    (changes, replace = false) => {
      const search = ((old: Search) => ({ ...old, ...changes })) as never;
      // The page is the same: what the reader looks at stays where it is.
      void navigate({ to: ".", search, replace, resetScroll: false });
    },
    [navigate],
  );
}

export function useTimeRange(): [TimeRange, (range: TimeRange) => void] {
  const search = useSearchText();
  const change = useChangeSearch();
  const { range, start, end } = search;
  const current = useMemo(() => rangeOf({ range, start, end }), [range, start, end]);
  return [current, useCallback((chosen) => change(searchOf(chosen)), [change])];
}

export interface Asking {
  /** Which time: the page's range (unset), another one, or none where the question has none. */
  bounds?: ((range: TimeRange, now_s: number) => Bounds) | null;
  /** false: not asked yet, something it needs is missing. */
  enabled?: boolean;
}

/**
 * The answer to a question, for the page's time range. Asked again while that moves and the
 * tab is seen; what was there stays while the next answer is awaited.
 */
export function useApi<Path extends keyof Answers>(
  path: Path,
  parameters: Parameters = {},
  { bounds = boundsOf, enabled = true }: Asking = {},
): Answered<Answers[Path]> {
  const [range] = useTimeRange();
  const moves = "preset" in range;
  return useQuery<Answers[Path], ApiError>({
    queryKey: [path, parameters, bounds && range, bounds?.name],
    queryFn: ({ signal }) => {
      const within = bounds ? { ...bounds(range, Date.now() / 1000) } : {};
      return ask(path, { ...within, ...parameters }, signal);
    },
    enabled,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => {
      if (!moves || !bounds) return false;
      const isCatalog = path === "/metrics" && (state.data as Answers["/metrics"])?.rows.length > 0;
      return isCatalog ? NAMES_REFRESH_MS : REFRESH_MS;
    },
  });
}
