import { duration } from "../../format";
import type { Zoom } from "./use_zoom";
import { moved, zoomed } from "./zoom";

/** What the keys do, for who cannot see the buttons. */
export const KEYS = "zoom-keys";
const STEP = 0.5;
const MOVE = 0.5;

/** Zooming for the keyboard, fingers and screen readers, and what is shown. */
export function ZoomTools({ zoom, duration_ms }: { zoom: Zoom; duration_ms: number }) {
  const { view, isZoomed, setView } = zoom;
  const middle_ms = (view.from_ms + view.to_ms) / 2;
  const by = (factor: number) => setView(zoomed(view, factor, middle_ms, duration_ms));
  return (
    <fieldset className="mb-2 flex flex-wrap items-center gap-1">
      <legend className="sr-only">Zoom</legend>
      <Button label="Zoom in" text="+" press={() => by(STEP)} />
      <Button label="Zoom out" text="−" isOff={!isZoomed} press={() => by(1 / STEP)} />
      <Button
        label="Earlier"
        text="◂"
        isOff={!isZoomed || view.from_ms <= 0}
        press={() => setView(moved(view, -MOVE, duration_ms))}
      />
      <Button
        label="Later"
        text="▸"
        isOff={!isZoomed || view.to_ms >= duration_ms}
        press={() => setView(moved(view, MOVE, duration_ms))}
      />
      <Button label="Whole trace" isOff={!isZoomed} press={() => setView(null)} />
      <span role="status" className="ml-1 text-faint tabular-nums" data-testid="zoom">
        {isZoomed
          ? `${duration(view.to_ms - view.from_ms)} from ${duration(view.from_ms)} on, of ${duration(duration_ms)}`
          : ""}
      </span>
      <span id={KEYS} className="sr-only">
        Plus and minus zoom in time, Shift with the left and right arrow moves, Z shows the span's
        own time, 0 the whole trace.
      </span>
    </fieldset>
  );
}

interface ButtonProps {
  label: string;
  /** Instead of the label, for the eye. */
  text?: string;
  isOff?: boolean;
  press: () => void;
}

/** One that has nothing to do stays where it is: else the keyboard's focus would be lost. */
function Button({ label, text, isOff = false, press }: ButtonProps) {
  return (
    <button
      type="button"
      className="control min-w-9 aria-disabled:opacity-60"
      aria-label={text && label}
      title={text && label}
      aria-disabled={isOff}
      onClick={press}
    >
      {text ? <span aria-hidden="true">{text}</span> : label}
    </button>
  );
}
