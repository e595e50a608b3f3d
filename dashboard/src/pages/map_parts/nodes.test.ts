import { describe, expect, it } from "vitest";
import type { MapRow, ServiceRow } from "../../api/types";
import { failed, kindOf, nodesOf, thickness_px } from "./nodes";

const call = (service: string, peer: string, errors: number | null = 0): MapRow => ({
  service,
  peer,
  calls: 10,
  errors,
  mean_ms: 1,
  rate: 2,
});
const served = (service: string) => ({ service, rate: 1 }) as ServiceRow;

describe("nodes of the map", () => {
  it("are services, and what they call, each once", () => {
    const calls = [call("shop", "stock", 1), call("web", "stock", 2), call("shop", "redis")];
    const nodes = nodesOf(calls, [served("stock"), served("shop")]);
    expect(nodes.map(({ name, kind }) => [name, kind])).toEqual([
      ["stock", "service"],
      ["shop", "service"],
      ["web", "service"],
      ["redis", "database"],
    ]);
    expect(nodes[0]?.called).toEqual({ rate: 4, calls: 20, errors: 3 });
    expect(failed(nodes[0]?.called ?? { calls: 0, errors: 0 })).toBe(0.15);
  });

  it("tell no errors where one of the callers tells none", () => {
    const calls = [call("shop", "stock", 1), call("web", "stock", null)];
    const stock = nodesOf(calls, []).find(({ name }) => name === "stock");
    expect(stock?.called.errors).toBeNull();
    expect(failed({ calls: 3, errors: null })).toBeNull();
  });

  it("say what a peer is by its system's name", () => {
    const aws = ["aws.dynamodb", "DynamoDB", "Secrets Manager", "SQS", "aws_sqs"];
    expect([...aws, "sqs.eu-west-1.amazonaws.com"].map(kindOf)).toEqual(Array(6).fill("AWS"));
    expect(["postgresql", "kafka", "api.example", "127.0.0.1"].map(kindOf)).toEqual([
      "database",
      "queue",
      "HTTP",
      "HTTP",
    ]);
  });

  it("have thicker lines for more calls, also where there are none", () => {
    expect(thickness_px(0, 0)).toBe(1);
    expect(thickness_px(5, 50)).toBeLessThan(thickness_px(50, 50));
  });
});
