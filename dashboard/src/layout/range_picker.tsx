import { type FormEvent, useRef } from "react";
import { PRESETS, type Preset, type TimeRange, useTimeRange } from "../api";
import { localTime, utcTime } from "../format";

const PRESET_NAMES: Record<Preset, string> = {
  "5m": "Last 5 minutes",
  "15m": "Last 15 minutes",
  "1h": "Last hour",
  "6h": "Last 6 hours",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
};

/** The time range of the page, which stands in its address. */
export function RangePicker() {
  const [range, setRange] = useTimeRange();
  const dialog = useRef<HTMLDialogElement>(null);
  const isFixed = !("preset" in range);

  const chosen = (value: string) => {
    if (Object.hasOwn(PRESETS, value)) setRange({ preset: value as Preset });
    else dialog.current?.showModal();
  };
  const between = (event: FormEvent<HTMLFormElement>) => {
    const data = new FormData(event.currentTarget);
    const [start_s, end_s] = ["from", "to"].map(
      (name) => new Date(String(data.get(name))).getTime() / 1000,
    ) as [number, number];
    if (end_s > start_s) setRange({ start_s, end_s });
  };
  const [from, to] = edges(range);

  return (
    <>
      <select
        className="control max-w-44"
        aria-label="Time range"
        title={
          isFixed ? `${utcTime(range.start_s * 1e9)} to ${utcTime(range.end_s * 1e9)}` : undefined
        }
        value={isFixed ? "fixed" : range.preset}
        onChange={(event) => chosen(event.target.value)}
      >
        {Object.entries(PRESET_NAMES).map(([preset, name]) => (
          <option key={preset} value={preset}>
            {name}
          </option>
        ))}
        {isFixed && (
          <option value="fixed">
            {localTime(range.start_s * 1e9)} to {localTime(range.end_s * 1e9)}
          </option>
        )}
        <option value="between">Between…</option>
      </select>
      <dialog
        ref={dialog}
        aria-label="Time range"
        className="m-auto max-w-full rounded-lg border border-line bg-panel p-4 text-ink backdrop:bg-black/50"
      >
        <form method="dialog" className="space-y-3" onSubmit={between}>
          {(
            [
              ["from", "From", from],
              ["to", "To", to],
            ] as const
          ).map(([name, label, value]) => (
            <label key={name} className="block">
              <span className="block text-faint">{label} (local time)</span>
              <input
                className="control w-full"
                type="datetime-local"
                step="1"
                name={name}
                defaultValue={value}
                required
              />
            </label>
          ))}
          <div className="flex justify-end gap-2">
            <button type="button" className="control" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" className="control font-semibold">
              Show
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}

/** What the two fields begin with: local time without a zone, as they take it. */
function edges(range: TimeRange): [string, string] {
  const now_s = Date.now() / 1000;
  const [start_s, end_s] =
    "preset" in range ? [now_s - PRESETS[range.preset], now_s] : [range.start_s, range.end_s];
  const field = (time_s: number) => {
    const moment = new Date(time_s * 1000);
    return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000)
      .toISOString()
      .slice(0, 19);
  };
  return [field(start_s), field(end_s)];
}
