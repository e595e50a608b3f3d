/** OTLP's severity numbers, four to a level. */
export const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] as const;
export type Level = (typeof LEVELS)[number];

/** The level of a number; undefined for 0, which means that the sender did not say. */
export function levelOf(severity: number): Level | undefined {
  return severity >= 1 ? LEVELS[Math.min(Math.floor((severity - 1) / 4), 5)] : undefined;
}

/** The least number of a level, as the API's `severity` takes it. */
export function leastOf(level: Level): number {
  return LEVELS.indexOf(level) * 4 + 1;
}
