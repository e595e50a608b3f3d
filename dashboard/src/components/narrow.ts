import { useSyncExternalStore } from "react";

const wide = window.matchMedia("(min-width: 640px)");

function watch(changed: () => void): () => void {
  wide.addEventListener("change", changed);
  return () => wide.removeEventListener("change", changed);
}

/** Whether the window is as narrow as a phone's: tables leave out columns then. */
export function useIsNarrow(): boolean {
  return useSyncExternalStore(watch, () => !wide.matches);
}
