import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { live } from "./browser";
import type { Connection, Delta, Wanted } from "./types";

/** How the connection is; re-renders when it changes. */
export function useConnection(): Connection {
  return useSyncExternalStore(live.watch, () => live.connection);
}

/**
 * Hear what is new while the component is there. `wanted` undefined: hear nothing. Deltas may
 * hold more than was wanted (other components read too): filter what you show. After a gap
 * all questions are asked anew.
 */
export function useLive(wanted: Wanted | undefined, onDelta: (delta: Delta) => void): void {
  const queries = useQueryClient();
  const latest = useRef(onDelta);
  useEffect(() => {
    latest.current = onDelta;
  });
  const key = JSON.stringify(wanted);
  useEffect(() => {
    if (key === undefined) return;
    return live.read({
      wanted: JSON.parse(key) as Wanted,
      onDelta: (delta) => latest.current(delta),
      onGap: () => void queries.invalidateQueries(),
    });
  }, [key, queries]);
}
