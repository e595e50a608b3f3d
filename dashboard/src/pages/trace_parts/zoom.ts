/** Which stretch of a trace's time the waterfall shows; null stands for all of it. */
export interface View {
  /** After the trace's begin. */
  from_ms: number;
  to_ms: number;
}

/** Spans have nanoseconds; a microsecond is as far as bars tell something. */
const LEAST_MS = 0.001;

/** The view within the trace: not longer than it, nor beyond its ends; null: all of it. */
export function fitted({ from_ms, to_ms }: View, duration_ms: number): View | null {
  const length_ms = Math.max(to_ms - from_ms, LEAST_MS);
  if (!(length_ms < duration_ms)) return null;
  const begin_ms = Math.min(Math.max(from_ms, 0), duration_ms - length_ms);
  return { from_ms: begin_ms, to_ms: begin_ms + length_ms };
}

/** Longer or shorter by a factor; what stood at `at_ms` stays in its place. */
export function zoomed(
  { from_ms, to_ms }: View,
  factor: number,
  at_ms: number,
  duration_ms: number,
): View | null {
  const length_ms = Math.max((to_ms - from_ms) * factor, LEAST_MS);
  const share = (at_ms - from_ms) / (to_ms - from_ms);
  const begin_ms = at_ms - share * length_ms;
  return fitted({ from_ms: begin_ms, to_ms: begin_ms + length_ms }, duration_ms);
}

/** Later (or earlier) by a share of its length. */
export function moved({ from_ms, to_ms }: View, by: number, duration_ms: number): View | null {
  const by_ms = (to_ms - from_ms) * by;
  return fitted({ from_ms: from_ms + by_ms, to_ms: to_ms + by_ms }, duration_ms);
}

/** The stretch itself, with a tenth of it before and after. */
export function around(from_ms: number, to_ms: number, duration_ms: number): View | null {
  const margin_ms = Math.max((to_ms - from_ms) / 10, LEAST_MS);
  return fitted({ from_ms: from_ms - margin_ms, to_ms: to_ms + margin_ms }, duration_ms);
}

/** The same length, moved to where some of a stretch is seen. */
export function reaching(view: View, from_ms: number, to_ms: number, duration_ms: number) {
  if (typeof placeOf(from_ms, to_ms, view) === "object") return view;
  const half_ms = (view.to_ms - view.from_ms) / 2;
  return fitted({ from_ms: from_ms - half_ms, to_ms: from_ms + half_ms }, duration_ms);
}

/** Where a stretch stands in the view, in percent; or that it is not in it. */
export function placeOf(
  from_ms: number,
  to_ms: number,
  view: View,
): { left: number; width: number } | "before" | "after" {
  if (to_ms < view.from_ms) return "before";
  if (from_ms > view.to_ms) return "after";
  const length_ms = view.to_ms - view.from_ms;
  if (!(length_ms > 0)) return { left: 0, width: 0 };
  const percent = (ms: number) => Math.min(Math.max((ms - view.from_ms) / length_ms, 0), 1) * 100;
  const left = percent(from_ms);
  return { left, width: percent(to_ms) - left };
}

/** As it stands in the address: milliseconds, from-to. */
export function textOf(view: View | null): string {
  return view ? `${exact(view.from_ms)}-${exact(view.to_ms)}` : "";
}

function exact(ms: number): string {
  return String(Number(ms.toFixed(4)));
}

/** What an address says; null where it says nothing, or nonsense. */
export function viewOf(text: string, duration_ms: number): View | null {
  const found = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(text);
  if (!found) return null;
  const [from_ms, to_ms] = [Number(found[1]), Number(found[2])];
  return to_ms > from_ms && from_ms < duration_ms ? fitted({ from_ms, to_ms }, duration_ms) : null;
}
