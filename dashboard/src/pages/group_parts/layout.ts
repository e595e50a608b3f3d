import { type Family, type FamilyName, type Group, groupOf } from "../../catalog";
import type { Figure } from "../../measures/figures";

/** A panel of charts, one for each family. */
export interface Section {
  title: string;
  charts: { family: FamilyName; by?: string }[];
}

/** What a group's page shows. Families of the group that no section has come last. */
export interface GroupLayout {
  group: Group;
  first: Figure[];
  sections: Section[];
}

export function sectionsOf({ group, sections }: GroupLayout): Section[] {
  const placed = new Set(sections.flatMap(({ charts }) => charts.map(({ family }) => family)));
  const rest = groupOf(group).filter(({ name }) => !placed.has(name));
  if (rest.length === 0) return sections;
  return [...sections, { title: "More", charts: rest.map(({ name }) => ({ family: name })) }];
}

/** The label that a family's lines differ in where a layout does not say: its first. */
export function splitOf({ labels }: Family, by: string | undefined): string {
  return by ?? labels[0] ?? "service";
}
