import { useSyncExternalStore } from "react";

/** The colours: as the system has them, or chosen here. They follow `color-scheme` (styles.css). */
export type Theme = "system" | "light" | "dark";

const KEY = "clarity-theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const watchers = new Set<() => void>();
let theme: Theme = stored();

function stored(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system"; // storage may be forbidden
  }
}

function apply(): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const changed of watchers) changed();
}

export function setTheme(chosen: Theme): void {
  theme = chosen;
  try {
    if (chosen === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, chosen);
  } catch {
    // Then it holds for this visit.
  }
  apply();
}

dark.addEventListener("change", apply);
apply();

function watch(changed: () => void): () => void {
  watchers.add(changed);
  return () => watchers.delete(changed);
}

export function useTheme(): Theme {
  return useSyncExternalStore(watch, () => theme);
}

/** Whether it is dark now: what draws on a canvas must draw anew when this changes. */
export function useIsDark(): boolean {
  return useSyncExternalStore(watch, () => (theme === "system" ? dark.matches : theme === "dark"));
}
