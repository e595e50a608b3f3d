/** Moments. Shown in the reader's zone; UTC stands beside, on hover. */

const local = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});
const localDay = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/** The time of day; with the day where that is not today. */
export function localTime(time_ns: number, now = new Date()): string {
  const moment = new Date(time_ns / 1e6);
  const time = local.format(moment);
  return moment.toDateString() === now.toDateString()
    ? time
    : `${localDay.format(moment)}, ${time}`;
}

export function utcTime(time_ns: number): string {
  return `${new Date(time_ns / 1e6).toISOString().replace("T", " ").replace("Z", "")} UTC`;
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const clockWithSeconds = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** A moment on an axis whose ticks are `step_s` apart: a day, or the time of day. */
export function tickTime(time_s: number, step_s: number): string {
  const moment = new Date(time_s * 1000);
  if (step_s >= 86_400) return localDay.format(moment);
  if (step_s < 60) return clockWithSeconds.format(moment);
  const isMidnight = moment.getHours() === 0 && moment.getMinutes() === 0;
  return isMidnight ? localDay.format(moment) : clock.format(moment);
}

/** How long ago, roughly. */
export function ago(time_ns: number, now_ms: number): string {
  const seconds = Math.max(0, Math.round((now_ms - time_ns / 1e6) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}
