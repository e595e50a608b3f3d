import { describe, expect, it } from "vitest";
import { FAMILIES, familyOf, filledBy, groupOf } from "../../catalog";
import { BUSINESS } from "./business";
import { type GroupLayout, sectionsOf } from "./layout";
import { ML } from "./ml";
import { PIPELINE } from "./pipeline";
import { SECURITY } from "./security";
import { SYSTEM } from "./system";

const LAYOUTS: GroupLayout[] = [SYSTEM, ML, SECURITY, BUSINESS, PIPELINE];

describe.each(LAYOUTS)("the page of $group", (layout) => {
  const charts = sectionsOf(layout).flatMap((section) => section.charts);

  it("shows each family of its group, and none of another", () => {
    const shown = new Set(charts.map(({ family }) => family));
    expect([...shown].sort()).toEqual(
      groupOf(layout.group)
        .map(({ name }) => name)
        .sort(),
    );
    for (const { family } of layout.first) {
      expect(familyOf(family).group).toBe(layout.group);
    }
  });

  it("splits families by labels that they have", () => {
    const figures = layout.first.map(({ family, by }) => ({ family, by }));
    for (const { family, by } of [...charts, ...figures]) {
      expect(["service", undefined, ...familyOf(family).labels]).toContain(by);
    }
  });
});

describe("the catalog", () => {
  it("says of each family what fills it: an instrumentation or a call", () => {
    for (const family of FAMILIES.values()) {
      expect(Boolean(family.call)).toBe(filledBy(family) === undefined);
    }
  });
});
