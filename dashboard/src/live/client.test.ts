import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LiveClient, type Reader, type World } from "./client";
import type { Delta } from "./types";

class FakeSocket {
  readyState = 0;
  sent: { type: string; [more: string]: unknown }[] = [];
  onopen?: () => void;
  onclose?: () => void;
  onmessage?: (event: { data: string }) => void;

  constructor(readonly after: number) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = 3;
    this.onclose?.();
  }

  greet(seq: number, resumed = false): void {
    this.readyState = 1;
    this.onopen?.();
    this.push({ type: "hello", seq, resumed });
  }

  push(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

let sockets: FakeSocket[];
let poll: (() => Promise<Delta>) | undefined;
let client: LiveClient;

const world: World = {
  open(after) {
    const socket = new FakeSocket(after);
    sockets.push(socket);
    return socket as unknown as WebSocket;
  },
  isRefusal: (error) => String(error).includes("401"),
  poll: () => (poll ? poll() : Promise.reject(new Error("nobody"))),
  now_ns: () => Date.now() * 1e6,
  random: () => 1,
};

const reader = (more: Partial<Reader> = {}): Reader => ({
  wanted: { topics: ["requests"] },
  onDelta: () => {},
  ...more,
});

const last = (): FakeSocket => {
  const socket = sockets.at(-1);
  if (!socket) throw new Error("no socket was opened");
  return socket;
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", { OPEN: 1 });
  sockets = [];
  poll = undefined;
  client = new LiveClient(world);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the live client", () => {
  it("connects with the first reader, tells the topics of all, and ends with the last", () => {
    const stop = client.read(reader());
    last().greet(1);
    const stopOther = client.read(reader({ wanted: { topics: ["logs"], severity: 17 } }));
    expect(last().sent.at(-1)).toEqual({
      type: "subscribe",
      topics: ["requests", "logs"],
      service: "",
      severity: 0,
      text: "",
    });
    stop();
    expect(last().sent.at(-1)).toMatchObject({ topics: ["logs"], severity: 17 });
    stopOther();
    expect(last().readyState).toBe(3);
    expect(sockets).toHaveLength(1);
  });

  it("hands deltas on, and takes no notice of what is none", () => {
    const heard: Delta[] = [];
    client.read(reader({ onDelta: (delta) => heard.push(delta) }));
    last().greet(1);
    last().push({ type: "delta", seq: 2, skipped: 3 });
    last().onmessage?.({ data: "{" });
    last().push({ type: "other" });
    expect(heard.map((delta) => delta.skipped)).toEqual([3]);
  });

  it("resumes after the last delta, waiting longer after each failure", async () => {
    client.read(reader());
    last().greet(4);
    last().push({ type: "delta", seq: 9 });
    last().close();
    expect(client.connection).toBe("disconnected");
    for (const wait_ms of [250, 500, 1000]) {
      const count = sockets.length;
      await vi.advanceTimersByTimeAsync(wait_ms - 1);
      expect(sockets).toHaveLength(count);
      await vi.advanceTimersByTimeAsync(1);
      expect(sockets).toHaveLength(count + 1);
      expect(last().after).toBe(9);
      last().close();
      await vi.advanceTimersByTimeAsync(0);
    }
  });

  it("says that something is missing where the server could not resume", async () => {
    const onGap = vi.fn();
    client.read(reader({ onGap }));
    last().greet(4);
    last().close();
    await vi.advanceTimersByTimeAsync(250);
    last().greet(5, true);
    expect(onGap).not.toHaveBeenCalled();
    last().close();
    await vi.advanceTimersByTimeAsync(250);
    last().greet(1, false);
    expect(onGap).toHaveBeenCalledOnce();
  });

  it("pauses while the tab is hidden", () => {
    client.read(reader());
    last().greet(1);
    client.setHidden(true);
    expect([client.connection, last().sent.at(-1)]).toEqual(["paused", { type: "pause" }]);
    client.setHidden(false);
    expect([client.connection, last().sent.at(-1)]).toEqual(["live", { type: "resume" }]);
  });

  it("does not connect again while hidden, and does when seen", async () => {
    client.read(reader());
    last().greet(1);
    client.setHidden(true);
    last().close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sockets).toHaveLength(1);
    client.setHidden(false);
    expect(sockets).toHaveLength(2);
  });

  it("polls a server without /api/live, and looks again whether it has one", async () => {
    const heard: Delta[] = [];
    poll = () => Promise.resolve({ requests: [] });
    client.read(reader({ onDelta: (delta) => heard.push(delta) }));
    last().close();
    await vi.advanceTimersByTimeAsync(0);
    expect([client.connection, heard.length]).toEqual(["polling", 1]);
    await vi.advanceTimersByTimeAsync(4000);
    expect(heard).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(sockets.length).toBe(2);
    last().greet(1);
    expect(client.connection).toBe("live");
  });

  it("tells a server that is gone from one that cannot push", async () => {
    client.read(reader());
    last().close();
    await vi.advanceTimersByTimeAsync(0);
    expect(client.connection).toBe("disconnected");
  });

  it("tells a server that does not let it in any more, until it does", async () => {
    poll = () => Promise.reject(new Error("401"));
    client.read(reader());
    last().close();
    await vi.advanceTimersByTimeAsync(0);
    expect(client.connection).toBe("refused");
    await vi.advanceTimersByTimeAsync(10_000);
    last().greet(1);
    expect(client.connection).toBe("live");
  });
});
