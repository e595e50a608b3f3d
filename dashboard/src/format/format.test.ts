import { describe, expect, it } from "vitest";
import {
  bytes,
  count,
  counted,
  duration,
  fromMoment,
  healthOf,
  leastOf,
  levelOf,
  masked,
  percent,
  rate,
  tickTime,
  tickValue,
  utcTime,
  withUnit,
} from ".";

describe("numbers", () => {
  it.each([
    [0, "0 ms"],
    [0.0421, "42.1 µs"],
    [0.99999, "1 ms"],
    [12.345, "12.3 ms"],
    [999.9, "1 s"],
    [1500, "1.5 s"],
    [59_990, "1 min 0 s"],
    [125_000, "2 min 5 s"],
    [7_260_000, "2 h 1 min"],
    [93_600_000, "1 d 2 h"],
    [Number.NaN, "–"],
    [null, "–"],
  ])("a duration of %s ms is %s", (ms, shown) => expect(duration(ms)).toBe(shown));

  it("say before and after, one and many", () => {
    expect([fromMoment(1.5), fromMoment(0), fromMoment(-0.00102)]).toEqual([
      "+1.5 ms",
      "+0 ms",
      "-1.02 µs",
    ]);
    expect([counted(0, "log"), counted(1, "log"), counted(12_300, "log")]).toEqual([
      "0 logs",
      "1 log",
      "12.3 k logs",
    ]);
  });

  it.each([
    [0, "0/s"],
    [0.001, "3.6/h"],
    [0.05, "3/min"],
    [12.345, "12.3/s"],
    [25_000, "25 k/s"],
  ])("a rate of %s is %s", (value, shown) => expect(rate(value)).toBe(shown));

  it.each([
    [0, "0 %"],
    [0.00001, "<0.01 %"],
    [0.00123, "0.12 %"],
    [0.5, "50 %"],
    [0.99999, ">99.9 %"],
    [1, "100 %"],
  ])("a share of %s is %s", (share, shown) => expect(percent(share)).toBe(shown));

  it("is told apart from its neighbour on an axis", () => {
    expect([0, 0.00002, 0.00004].map((share) => tickValue(share, "share"))).toEqual([
      "0 %",
      "0.002 %",
      "0.004 %",
    ]);
    expect(tickValue(64, "{request}")).toBe("64");
  });

  it("counts and sizes take the unit that fits", () => {
    expect([count(9999), count(12_345), count(4.2e6)]).toEqual(["9,999", "12.3 k", "4.2 M"]);
    expect([bytes(512), bytes(1536), bytes(3 * 2 ** 30)]).toEqual(["512 B", "1.5 KiB", "3 GiB"]);
  });

  it("units are OpenTelemetry's", () => {
    expect(withUnit(0.25, "s")).toBe("250 ms");
    expect(withUnit(2048, "By")).toBe("2 KiB");
    expect(withUnit(3, "{request}")).toBe("3 requests");
    expect(withUnit(1, "{request}")).toBe("1 request");
    expect(withUnit(0, "{file_descriptor}")).toBe("0 file descriptors");
    expect(withUnit(2, "{process}")).toBe("2 processes");
    expect(withUnit(2, "{query}")).toBe("2 queries");
    expect(withUnit(2, "widget<b>")).toBe("2 widget<b>");
    expect(withUnit(0.5, "1")).toBe("0.5");
  });
});

describe("text", () => {
  it("masked values stand apart from the text around them", () => {
    expect(masked("by [masked:email] at [masked:card:0123456789ab]")).toEqual([
      { text: "by " },
      { text: "[masked:email]", rule: "email" },
      { text: " at " },
      { text: "[masked:card:0123456789ab]", rule: "card:0123456789ab" },
    ]);
    expect(masked("[masking failed]")).toEqual([{ text: "[masking failed]", rule: "failed" }]);
    expect(masked("[masked:<b>] <script>")).toEqual([{ text: "[masked:<b>] <script>" }]);
  });

  it("a level is four severity numbers", () => {
    expect([0, 1, 9, 12, 17, 24, 99].map(levelOf)).toEqual([
      undefined,
      "TRACE",
      "INFO",
      "INFO",
      "ERROR",
      "FATAL",
      "FATAL",
    ]);
    expect(leastOf("ERROR")).toBe(17);
  });

  it("an axis tells seconds, minutes or days, as its ticks are apart", () => {
    const noon_s = new Date(2026, 4, 3, 12, 30, 15).getTime() / 1000;
    const midnight_s = new Date(2026, 4, 3).getTime() / 1000;
    expect(tickTime(noon_s, 1)).toMatch(/^12:30:15$/);
    expect(tickTime(noon_s, 60)).toMatch(/^12:30$/);
    expect(tickTime(midnight_s, 3600)).toBe(tickTime(midnight_s, 86_400));
  });

  it("UTC is told to the millisecond", () => {
    expect(utcTime(1_700_000_000_123_000_000)).toBe("2023-11-14 22:13:20.123 UTC");
  });
});

describe("health", () => {
  it("follows the share of errors alone", () => {
    const shares = [0, 0.0099, 0.01, 0.05].map((error_ratio) => healthOf({ error_ratio }));
    expect(shares).toEqual(["healthy", "healthy", "degraded", "failing"]);
  });
});
