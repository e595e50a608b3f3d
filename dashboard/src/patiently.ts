const AGAIN_MS = 1000;

/** What it needs of the world; tests bring their own. */
export interface Server {
  /** Whether it answers at all, whatever it says. */
  isThere(): Promise<boolean>;
  wait(ms: number): Promise<void>;
}

const server: Server = {
  isThere: () =>
    fetch("/", { method: "HEAD" }).then(
      () => true,
      () => false,
    ),
  wait: (ms) => new Promise((then) => setTimeout(then, ms)),
};

/**
 * Load a part of the pages as soon as there is a server that gives it. Rejects where the server
 * answers and has no such part: the pages are of another version, and the router loads them anew.
 */
export async function patiently<Part>(
  load: () => Promise<Part>,
  { isThere, wait }: Server = server,
): Promise<Part> {
  for (;;) {
    try {
      return await load();
    } catch (error) {
      if (await isThere()) throw error;
      await wait(AGAIN_MS);
    }
  }
}
