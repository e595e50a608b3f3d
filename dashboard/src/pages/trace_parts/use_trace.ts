import { useQuery } from "@tanstack/react-query";
import { type Answered, type ApiError, ask, type Trace } from "../../api";

/** Services send spans every few seconds: until then a young trace may get more of them. */
const YOUNG_MS = 30_000;
const ASK_AGAIN_MS = 2000;
/** A request that was just pushed to the page is in the store a moment later. */
const TRIES_WHILE_MISSING = 3;

/** One trace; asked again while it is young, or not there yet. */
export function useTrace(trace_id: string): Answered<Trace> & { isAwaited: boolean } {
  const query = useQuery<Trace, ApiError>({
    queryKey: ["/traces/{trace_id}", { trace_id }],
    queryFn: ({ signal }) => ask("/traces/{trace_id}", { trace_id }, signal),
    refetchInterval: ({ state: { data, error, errorUpdateCount } }) => {
      const isMissing = !data && error?.status === 404;
      if (isMissing) return errorUpdateCount < TRIES_WHILE_MISSING ? ASK_AGAIN_MS / 2 : false;
      return data && isYoung(data) ? ASK_AGAIN_MS : false;
    },
    // Thousands of spans: not asked again because a window got the focus.
    staleTime: 60_000,
  });
  const { data, error, errorUpdateCount } = query;
  const isAwaited = !data && error?.status === 404 && errorUpdateCount < TRIES_WHILE_MISSING;
  return { ...query, isAwaited };
}

function isYoung({ spans }: Trace): boolean {
  const end_ms = spans.reduce(
    (most, { start_ns, duration_ms }) => Math.max(most, start_ns / 1e6 + duration_ms),
    0,
  );
  return Math.abs(Date.now() - end_ms) < YOUNG_MS;
}
