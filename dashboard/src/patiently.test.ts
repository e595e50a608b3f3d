import { describe, expect, it } from "vitest";
import { patiently } from "./patiently";

/** Fails so many times. */
const failing = (times: number) => {
  let calls = 0;
  return async () => {
    calls++;
    if (calls <= times) throw new Error("Failed to fetch");
    return calls;
  };
};
const server = (isThere: boolean) => ({ isThere: async () => isThere, wait: async () => {} });

describe("a part of the pages", () => {
  it("is waited for while nobody answers", async () => {
    expect(await patiently(failing(3), server(false))).toBe(4);
  });

  it("that the server has no more is an error", async () => {
    await expect(patiently(failing(1), server(true))).rejects.toThrow("Failed to fetch");
  });
});
