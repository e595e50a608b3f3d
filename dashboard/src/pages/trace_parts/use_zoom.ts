import { type RefObject, useEffect, useRef, useState } from "react";
import { useChangeSearch, useSearchParameter } from "../../api";
import { fitted, moved, textOf, type View, viewOf, zoomed } from "./zoom";

/** A wheel turns in tens of events a second: the address follows when it rests. */
const REST_MS = 250;
/** One notch of a wheel (100 pixels) zooms by a fifth. */
const FACTOR_A_PIXEL = 1.002;
/** What browsers that tell lines, not pixels, scroll by a line. */
const LINE_PX = 33;
/** Less than this is a click. */
const DRAG_PX = 4;

export interface Zoom {
  /** What is shown. */
  view: View;
  isZoomed: boolean;
  setView: (view: View | null) => void;
}

/** The stretch that is shown, which stands in the address. */
export function useZoom(duration_ms: number): Zoom {
  const [text] = useSearchParameter("zoom");
  const change = useChangeSearch();
  const [view, setView] = useState(() => viewOf(text, duration_ms));
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when another stretch is shown
  useEffect(() => {
    if (textOf(view) === text) return;
    const timer = setTimeout(() => change({ zoom: textOf(view) }, true), REST_MS);
    return () => clearTimeout(timer);
  }, [view]);
  return { view: view ?? { from_ms: 0, to_ms: duration_ms }, isZoomed: view !== null, setView };
}

/** What is being drawn with the mouse, in pixels of the time column, over so high a waterfall. */
export interface Drawn {
  from_px: number;
  to_px: number;
  height_px: number;
}

/**
 * The mouse on the waterfall: a wheel with Ctrl (or two fingers that pinch) zooms, over the axis
 * also one without; a wheel to the side moves; what is drawn is shown. `axis` is the head of the
 * time column.
 */
export function useGestures(
  scroller: RefObject<HTMLElement | null>,
  axis: RefObject<HTMLElement | null>,
  { view, isZoomed, setView }: Zoom,
  duration_ms: number,
): Drawn | null {
  const [drawn, setDrawn] = useState<Drawn | null>(null);
  const latest = useRef({ view, isZoomed });
  latest.current = { view, isZoomed };
  useEffect(() => {
    const grid = scroller.current;
    const head = axis.current;
    if (!grid || !head) return;
    let begun: { x: number; pointer: number } | null = null;
    let last: Drawn | null = null;

    const pixel = (x: number) => {
      const { left, width } = head.getBoundingClientRect();
      return Math.min(Math.max(x - left, 0), width);
    };
    const time = (px: number) => {
      const { from_ms, to_ms } = latest.current.view;
      return from_ms + (px / Math.max(head.clientWidth, 1)) * (to_ms - from_ms);
    };
    const isInColumn = (x: number) => {
      const { left, right } = head.getBoundingClientRect();
      return x >= left && x <= right;
    };
    const show = (next: Drawn | null) => {
      last = next;
      setDrawn(next);
    };

    const cancelled = () => {
      begun = null;
      show(null);
    };

    // Not React's: its listener cannot keep the page from being zoomed or scrolled.
    const wheeled = (event: WheelEvent) => {
      const isOnAxis = head.contains(event.target as Node);
      const unit_px = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE_PX;
      const [x_px, y_px] = [event.deltaX * unit_px, event.deltaY * unit_px];
      const across_px = event.shiftKey && x_px === 0 ? y_px : x_px;
      const { view: shown, isZoomed: isPart } = latest.current;
      if (event.ctrlKey || event.metaKey || (isOnAxis && !event.shiftKey && y_px !== 0)) {
        const factor = FACTOR_A_PIXEL ** Math.min(Math.max(y_px, -500), 500);
        setView(zoomed(shown, factor, time(pixel(event.clientX)), duration_ms));
      } else if (isPart && Math.abs(across_px) > (event.shiftKey ? 0 : Math.abs(y_px))) {
        setView(moved(shown, across_px / Math.max(head.clientWidth, 1), duration_ms));
      } else return;
      event.preventDefault();
    };
    const pressed = (event: PointerEvent) => {
      // A finger scrolls.
      if (event.pointerType !== "mouse" || event.button !== 0 || !isInColumn(event.clientX)) return;
      begun = { x: event.clientX, pointer: event.pointerId };
    };
    const drew = (event: PointerEvent) => {
      if (!begun || event.pointerId !== begun.pointer) return;
      if (!(event.buttons & 1)) return cancelled(); // let go outside
      if (!last && Math.abs(event.clientX - begun.x) < DRAG_PX) return;
      // From here on it is no click on a row.
      if (!last) grid.setPointerCapture(begun.pointer);
      const [from_px, to_px] = [begun.x, event.clientX].map(pixel).sort((a, b) => a - b) as [
        number,
        number,
      ];
      show({ from_px, to_px, height_px: grid.clientHeight });
    };
    const released = () => {
      begun = null;
      if (!last) return;
      const chosen = { from_ms: time(last.from_px), to_ms: time(last.to_px) };
      show(null);
      setView(fitted(chosen, duration_ms));
    };

    grid.addEventListener("wheel", wheeled, { passive: false });
    grid.addEventListener("pointerdown", pressed);
    grid.addEventListener("pointermove", drew);
    grid.addEventListener("pointerup", released);
    grid.addEventListener("pointercancel", cancelled);
    return () => {
      grid.removeEventListener("wheel", wheeled);
      grid.removeEventListener("pointerdown", pressed);
      grid.removeEventListener("pointermove", drew);
      grid.removeEventListener("pointerup", released);
      grid.removeEventListener("pointercancel", cancelled);
    };
  }, [scroller, axis, setView, duration_ms]);
  return drawn;
}
