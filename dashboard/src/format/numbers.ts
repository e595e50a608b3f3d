/** Numbers as people read them: three significant digits, the unit that fits. */

const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const UNKNOWN = "–";

export function count(value: number | null | undefined): string {
  if (!isKnown(value)) return UNKNOWN;
  if (Math.abs(value) < 10_000) return whole.format(value);
  if (Math.abs(value) < 999_500) return `${digits.format(value / 1e3)} k`;
  if (Math.abs(value) < 999_500_000) return `${digits.format(value / 1e6)} M`;
  return `${digits.format(value / 1e9)} G`;
}

export function duration(ms: number | null | undefined): string {
  if (!isKnown(ms)) return UNKNOWN;
  const size = Math.abs(ms);
  if (size === 0) return "0 ms";
  if (size < 0.9995) return `${digits.format(ms * 1000)} µs`;
  if (size < 999.5) return `${digits.format(ms)} ms`;
  if (size < 59_950) return `${digits.format(ms / 1000)} s`;
  const seconds = Math.round(size / 1000);
  const sign = ms < 0 ? "-" : "";
  if (seconds < 3600) return `${sign}${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${sign}${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${sign}${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** How long after a moment (+), or before it (-). */
export function fromMoment(ms: number): string {
  return `${ms < 0 ? "-" : "+"}${duration(Math.abs(ms))}`;
}

/** So many of a thing: one log, two logs. */
export function counted(number: number, one: string): string {
  return `${count(number)} ${one}${number === 1 ? "" : "s"}`;
}

/** A rate in seconds, told by the minute or the hour where it is slow. */
export function rate(per_second: number | null | undefined): string {
  if (!isKnown(per_second)) return UNKNOWN;
  if (per_second === 0) return "0/s";
  if (per_second * 60 < 1) return `${digits.format(per_second * 3600)}/h`;
  if (per_second < 1) return `${digits.format(per_second * 60)}/min`;
  return `${per_second < 10_000 ? digits.format(per_second) : count(per_second)}/s`;
}

/** A share of 0 to 1. What is not nothing is never shown as 0 %, nor what is not all as 100 %. */
export function percent(share: number | null | undefined): string {
  if (!isKnown(share)) return UNKNOWN;
  const value = share * 100;
  if (value > 0 && value < 0.01) return "<0.01 %";
  if (value < 100 && value > 99.95) return ">99.9 %";
  return `${new Intl.NumberFormat("en", { maximumSignificantDigits: value < 1 ? 2 : 3 }).format(value)} %`;
}

export function bytes(value: number | null | undefined): string {
  if (!isKnown(value)) return UNKNOWN;
  let size = value;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (Math.abs(size) < 1023.5) return `${digits.format(size)} ${unit}`;
    size /= 1024;
  }
  return `${digits.format(size)} TiB`;
}

/**
 * A value with a unit as OpenTelemetry writes it (UCUM: s, ms, By, 1, {request}), with "/s" of a
 * rate, or "share" for 0 to 1 as a percentage.
 */
export function withUnit(value: number | null | undefined, unit: string): string {
  if (unit === "share") return percent(value);
  if (unit.endsWith("/s")) return rateWithUnit(value, unit.slice(0, -2));
  if (unit === "s") return duration(isKnown(value) ? value * 1000 : value);
  if (unit === "ms") return duration(value);
  if (unit === "By") return bytes(value);
  if (!isKnown(value)) return UNKNOWN;
  const number = Math.abs(value) < 10_000 ? digits.format(value) : count(value);
  const said = unit === "1" ? "" : thingsOf(unit, value);
  return said ? `${number} ${said}` : number;
}

/** What a unit counts, in words: {file_descriptor} is "file descriptors" of which there are two. */
function thingsOf(unit: string, value: number): string {
  const thing = /^\{(\w+)\}$/.exec(unit)?.[1];
  if (thing === undefined) return unit.replace(/[{}]/g, "");
  const one = thing.replaceAll("_", " ");
  if (value === 1 || one.endsWith("healthy")) return one;
  const stem = one.replace(/([^aeiou])y$/, "$1ie").replace(/(s|x|ch)$/, "$1e");
  return `${stem}s`;
}

/** The same for an axis, on which neighbours must differ: no share is rounded to "<0.01 %". */
export function tickValue(value: number, unit: string): string {
  return unit === "share" ? `${digits.format(value * 100)} %` : withUnit(value, bareUnit(unit));
}

/** The unit without what is counted ({request}): for places that say that already. */
export function bareUnit(unit: string): string {
  return unit.replace(/\{[^}]*\}/, "1");
}

/** Of time and bytes, those a second; what is counted is told by the minute where it is slow. */
function rateWithUnit(value: number | null | undefined, unit: string): string {
  if (!isKnown(value)) return UNKNOWN;
  if (unit === "s" || unit === "ms" || unit === "By") return `${withUnit(value, unit)}/s`;
  return rate(value);
}

function isKnown(value: number | null | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
