/**
 * The catalog of metrics (clarity_otel/metrics/catalog.py), as `make generate` writes it. A name
 * that it does not have is refused by the compiler.
 */
import families from "./families.json";

export type FamilyName = keyof typeof families;
export type Group = "API" | "System" | "ML" | "Security" | "Business" | "Pipeline";
export type Kind = "counter" | "updowncounter" | "gauge" | "histogram";
/** Who writes it: the requests themselves, the libraries' patches, the background thread, … */
type Writer = "native" | "patches" | "sampler" | "engine" | "get_metrics()";

export interface Family {
  name: FamilyName;
  group: Group;
  kind: Kind;
  /** OpenTelemetry's (UCUM). */
  unit: string;
  help: string;
  /** Names of attributes. */
  labels: string[];
  writer: Writer;
  /** What the app calls to write it, as Python; empty where the app need not. */
  call: string;
}

export const FAMILIES: ReadonlyMap<string, Family> = new Map(
  Object.entries(families).map(([name, about]) => [
    name,
    { name: name as FamilyName, ...about } as Family,
  ]),
);

export function familyOf(name: FamilyName): Family {
  return FAMILIES.get(name) as Family;
}

export function groupOf(group: Group): Family[] {
  return [...FAMILIES.values()].filter((family) => family.group === group);
}

const FILLED_BY: Record<Exclude<Writer, "get_metrics()">, string> = {
  native: "the requests and calls of a service that runs under clarity-instrument",
  patches: "calls of httpx, botocore and redis under clarity-instrument",
  sampler: "the sampler of a service that runs under clarity-instrument",
  engine: "the engine of a service that runs under clarity-instrument",
};

/** Which instrumentation fills it, to be read after "Filled by"; undefined where a call does. */
export function filledBy({ writer }: Family): string | undefined {
  return writer === "get_metrics()" ? undefined : FILLED_BY[writer];
}
