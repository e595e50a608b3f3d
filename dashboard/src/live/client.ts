import type { Connection, Delta, Topic, Wanted } from "./types";

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
const POLL_MS = 2000;
/** While polling, whether the server can push by now. */
const RETRY_WHILE_POLLING_MS = 30_000;

/** What the client needs of the world; tests bring their own. */
export interface World {
  open(after: number): WebSocket;
  /** Ask for what is new since `since_ns`. Rejects where the server does not answer. */
  poll(wanted: Wanted, since_ns: number): Promise<Delta>;
  /** Whether that is because this browser is not let in. */
  isRefusal(error: unknown): boolean;
  now_ns(): number;
  random(): number;
}

export interface Reader {
  wanted: Wanted;
  onDelta(delta: Delta): void;
  /** Something may be missing: ask the API anew. */
  onGap?(): void;
}

/**
 * One connection for all readers of the page. It is there while somebody reads and the tab is
 * seen, resumes where it ended, waits longer after each failure, and polls a server that
 * answers but has no /api/live.
 */
export class LiveClient {
  connection: Connection = "connecting";

  #readers = new Set<Reader>();
  #watchers = new Set<() => void>();
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #seq = 0;
  #failures = 0;
  #isHidden = false;
  #polled_ns = 0;
  #retryAt_ns = 0;
  #turn = 0;

  constructor(private readonly world: World) {}

  /** Deltas go to the reader until the returned function is called. */
  read(reader: Reader): () => void {
    this.#readers.add(reader);
    if (this.#readers.size === 1) this.#begin();
    else this.#subscribe();
    return () => {
      this.#readers.delete(reader);
      if (this.#readers.size === 0) this.#end();
      else this.#subscribe();
    };
  }

  /** `changed` is called when `connection` has changed. */
  watch = (changed: () => void): (() => void) => {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  };

  /** Nothing is sent to a tab that nobody sees. */
  setHidden(isHidden: boolean): void {
    if (isHidden === this.#isHidden) return;
    this.#isHidden = isHidden;
    if (this.#readers.size === 0) return;
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#send({ type: isHidden ? "pause" : "resume" });
      this.#say(isHidden ? "paused" : "live");
    } else if (isHidden) {
      this.#end();
      this.#say("paused");
    } else {
      this.#begin();
    }
  }

  #begin(): void {
    this.#failures = 0;
    this.#polled_ns = this.world.now_ns();
    if (!this.#isHidden) this.#open();
  }

  #end(): void {
    this.#turn++;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.#say("connecting");
  }

  #open(): void {
    const socket = this.world.open(this.#seq);
    let greeted = false;
    this.#socket = socket;
    socket.onopen = () => this.#subscribe();
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return;
      const message = parsed(data);
      if (message?.type === "hello") {
        greeted = true;
        this.#failures = 0;
        if (this.#seq > 0 && !message.resumed) this.#gap();
        this.#seq = message.seq ?? 0;
        this.#say(this.#isHidden ? "paused" : "live");
        if (this.#isHidden) this.#send({ type: "pause" });
      } else if (message?.type === "delta") {
        this.#seq = message.seq ?? this.#seq;
        this.#tell(message);
      }
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      // A tab that nobody sees connects again when it is seen.
      if (this.#isHidden) return;
      if (greeted) this.#again();
      else void this.#poll();
    };
  }

  #again(connection: Connection = "disconnected"): void {
    this.#say(connection);
    const longest = Math.min(FIRST_WAIT_MS * 2 ** this.#failures++, LONGEST_WAIT_MS);
    // Spread, so that many pages do not come back in the same moment.
    this.#after(longest * (0.5 + this.world.random() / 2), () => this.#open());
  }

  /** No WebSocket was to be had: either nobody is there, or a server without /api/live. */
  async #poll(): Promise<void> {
    const turn = this.#turn;
    const since_ns = this.#polled_ns;
    const now_ns = this.world.now_ns();
    try {
      const delta = await this.world.poll(this.#wanted(), since_ns);
      if (turn !== this.#turn) return;
      if (this.connection === "disconnected" || this.connection === "refused") this.#gap();
      if (this.connection !== "polling") {
        this.#retryAt_ns = now_ns + RETRY_WHILE_POLLING_MS * 1e6;
      }
      this.#failures = 0;
      this.#polled_ns = now_ns;
      this.#say("polling");
      this.#tell(delta);
      const isTime = now_ns >= this.#retryAt_ns;
      if (isTime) this.#retryAt_ns = now_ns + RETRY_WHILE_POLLING_MS * 1e6;
      this.#after(POLL_MS, () => (isTime ? this.#open() : void this.#poll()));
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#again(this.world.isRefusal(error) ? "refused" : "disconnected");
    }
  }

  #after(wait_ms: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, wait_ms);
  }

  #wanted(): Wanted {
    const all = [...this.#readers]
      .map((reader) => reader.wanted)
      .filter((wanted) => wanted.topics.length > 0);
    const topics = [...new Set(all.flatMap((wanted) => wanted.topics))] as Topic[];
    // A filter holds for the whole connection, so only one that all readers share is sent.
    const shared = <Name extends "service" | "severity" | "text">(name: Name) =>
      all.every((wanted) => wanted[name] === all[0]?.[name]) ? all[0]?.[name] : undefined;
    return {
      topics,
      service: shared("service") ?? "",
      severity: shared("severity") ?? 0,
      text: shared("text") ?? "",
    };
  }

  #subscribe(): void {
    this.#send({ type: "subscribe", ...this.#wanted() });
  }

  #send(message: unknown): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #tell(delta: Delta): void {
    for (const reader of [...this.#readers]) reader.onDelta(delta);
  }

  #gap(): void {
    for (const reader of [...this.#readers]) reader.onGap?.();
  }

  #say(connection: Connection): void {
    if (connection === this.connection) return;
    this.connection = connection;
    for (const changed of [...this.#watchers]) changed();
  }
}

type Message = Delta & { type?: string; seq?: number; resumed?: boolean };

function parsed(data: unknown): Message | undefined {
  try {
    return typeof data === "string" ? (JSON.parse(data) as Message) : undefined;
  } catch {
    return undefined; // not of our server: as if it had not been sent
  }
}
