/** Single numbers of a metric: what an operator looks at first. */
import type { Attributes, MetricSeries } from "../api/types";
import type { FamilyName } from "../catalog";
import { numberOf, type Statistic } from "./lines";

export interface Figure {
  title: string;
  family: FamilyName;
  /** The label that `only` and `share` look at. */
  by?: string;
  /** These values of `by` alone. */
  only?: string[];
  /** What these values of `by` are of all, instead of a sum: 0 to 1. */
  share?: string[];
  /** How lines become one. Of counters and up-down counters the sum is right. */
  join?: "sum" | "max" | "min";
  /** Of a histogram. */
  statistic?: Statistic;
  /** Of a counter: how many in the whole range, not how many a second. */
  isTotal?: boolean;
}

export interface Told {
  /** The last, or the sum where the figure is a total; null: nothing is known. */
  value: number | null;
  /** Oldest first. */
  values: number[];
}

export function toldBy(figure: Figure, answer: MetricSeries & { step_s?: number }): Told {
  const { only, share, statistic = "p95" } = figure;
  const known = new Map<number, { part: number[]; all: number[] }>();
  for (const { attributes, points } of answer.rows) {
    const value = labelled(attributes, figure.by);
    for (const [time_ns, point] of points) {
      const number = numberOf(point, statistic);
      if (number === null) continue;
      const at = known.get(time_ns) ?? { part: [], all: [] };
      known.set(time_ns, at);
      at.all.push(number);
      if ((only ?? share)?.includes(value) ?? true) at.part.push(number);
    }
  }
  const joined = [...known]
    .sort(([one], [other]) => one - other)
    .map(([, { part, all }]) => {
      if (!share) return part.length > 0 ? joinedBy(figure.join ?? "sum", part) : only ? 0 : null;
      const whole = joinedBy("sum", all);
      return whole > 0 ? joinedBy("sum", part) / whole : null;
    });
  const values = joined.filter((value) => value !== null);
  const sum = joinedBy("sum", values) * (answer.step_s ?? 1);
  return { value: figure.isTotal && values.length > 0 ? sum : (values.at(-1) ?? null), values };
}

function labelled(attributes: Attributes, by: string | undefined): string {
  return by ? String(attributes[by] ?? "") : "";
}

function joinedBy(join: "sum" | "max" | "min", numbers: number[]): number {
  if (join === "max") return Math.max(...numbers);
  if (join === "min") return Math.min(...numbers);
  return numbers.reduce((sum, number) => sum + number, 0);
}
