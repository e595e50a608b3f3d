import { type Bounds, boundsOf, lengthOf, type TimeRange } from "../../api/range";
import type { EndpointRow, VersionRow } from "../../api/types";

/** What a range is compared with, as `compare` stands in the address. */
export const COMPARED = {
  before: "the time before",
  day: "a day before",
  week: "a week before",
  at: "another time",
  deploy: "before a deploy",
} as const;
export type Compared = keyof typeof COMPARED;

/** One of the two times: its bounds, the version where only that counts, and what it is called. */
export interface Side extends Bounds {
  label: string;
  version?: string;
}

export interface Comparison {
  now: Side;
  before: Side;
}

export interface Choice {
  compare: string;
  /** Seconds since 1970: where the other time begins. */
  at: string;
  /** The version that was deployed. */
  deploy: string;
}

const MINUTE_S = 60;
const DAY_S = 86_400;
const BACK_S = { day: DAY_S, week: 7 * DAY_S };

/**
 * The two times to compare, of equal length in whole minutes; undefined where nothing is
 * compared, or what was chosen is not known (yet). `versions` are those of one service.
 */
export function comparisonOf(
  { compare, at, deploy }: Choice,
  range: TimeRange,
  versions: VersionRow[],
  now_s: number,
): Comparison | undefined {
  const minute_s = Math.floor(now_s / MINUTE_S) * MINUTE_S;
  if (compare === "deploy") return aroundDeploy(deploy, lengthOf(range), versions, minute_s);
  const bounds = boundsOf(range, minute_s);
  const length_s = bounds.end - bounds.start;
  const start = startOf(compare, at, bounds);
  if (start === undefined) return undefined;
  return {
    now: { ...bounds, label: "this time" },
    before: { start, end: start + length_s, label: COMPARED[compare as Compared] },
  };
}

function startOf(compare: string, at: string, { start, end }: Bounds): number | undefined {
  if (compare === "before") return start - (end - start);
  if (compare === "day" || compare === "week") return start - BACK_S[compare];
  const chosen_s = Number(at);
  return compare === "at" && chosen_s > 0 ? chosen_s : undefined;
}

/** The version before it until it came, and the version itself from then on, as long. */
function aroundDeploy(
  deploy: string,
  length_s: number,
  versions: VersionRow[],
  now_s: number,
): Comparison | undefined {
  const deployed = versions.find(({ version }) => version === deploy);
  const previous = deployed && versionBefore(deployed, versions);
  if (!deployed || !previous) return undefined;
  const came_s = deployed.first_ns / 1e9;
  const served_s = Math.min(deployed.last_ns / 1e9, now_s + MINUTE_S) - came_s;
  const shown_s = Math.max(Math.min(length_s, served_s), MINUTE_S);
  return {
    now: { start: came_s, end: came_s + shown_s, version: deploy, label: named(deploy) },
    before: {
      start: came_s - shown_s,
      end: came_s,
      version: previous.version,
      label: named(previous.version),
    },
  };
}

/** The version that came last before this one did, of the same service. */
export function versionBefore(of: VersionRow, versions: VersionRow[]): VersionRow | undefined {
  return versions
    .filter(({ service, first_ns }) => service === of.service && first_ns < of.first_ns)
    .sort((one, other) => other.first_ns - one.first_ns)[0];
}

function named(version: string): string {
  return version ? `version ${version}` : "no version";
}

export interface ComparedRow extends EndpointRow {
  before?: EndpointRow;
}

export function keyOfRoute({ service, method, route }: EndpointRow): string {
  return `${service} ${method} ${route}`;
}

/** Whether a route has a text in its method, template or service, whatever the case. */
export function fitsRoute({ service, method, route }: EndpointRow, text: string): boolean {
  return `${method} ${route} ${service}`.toLowerCase().includes(text.trim().toLowerCase());
}

/** Each route with what it was before. */
export function joined(now: EndpointRow[], before: EndpointRow[] | undefined): ComparedRow[] {
  const earlier = new Map(before?.map((row) => [keyOfRoute(row), row]));
  return now.map((row) => {
    const old = earlier.get(keyOfRoute(row));
    return old ? { ...row, before: old } : row;
  });
}
