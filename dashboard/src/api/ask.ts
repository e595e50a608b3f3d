import type { Answers } from "./types";

export type Parameter = string | number | boolean | string[] | undefined;
export type Parameters = Record<string, Parameter>;

/** A question that was not answered; the message is a sentence for the user. */
export class ApiError extends Error {
  override name = "ApiError";

  /** `status` 0: nobody answered. */
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }

  get isUnreachable(): boolean {
    return this.status === 0;
  }
}

export const UNREACHABLE =
  "The dashboard's process does not answer. Is your app with it, or `clarity dashboard`, still running?";
export const WITHOUT_TOKEN =
  "This browser is not let in any more: open the link that `clarity-instrument --dashboard` or `clarity dashboard` printed, it carries the token. `clarity dashboard` prints it again.";

/** Ask the API. Rejects with ApiError, or with what an aborted `signal` gives. */
export async function ask<Path extends keyof Answers>(
  path: Path,
  parameters: Parameters = {},
  signal?: AbortSignal,
): Promise<Answers[Path]> {
  let response: Response;
  try {
    response = await fetch(addressOf(path, parameters), { ...(signal ? { signal } : {}) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(UNREACHABLE, 0);
  }
  if (!response.ok) throw new ApiError(await sentence(response), response.status);
  return (await response.json()) as Answers[Path];
}

/** The address of a question; what is empty or undefined is left out. */
export function addressOf(path: string, parameters: Parameters): string {
  const query = new URLSearchParams();
  let filled = path;
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined || value === "") continue;
    if (path.includes(`{${name}}`)) {
      filled = filled.replace(`{${name}}`, encodeURIComponent(String(value)));
    } else {
      for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
    }
  }
  const text = query.toString();
  return `/api${filled}${text ? `?${text}` : ""}`;
}

async function sentence(response: Response): Promise<string> {
  if (response.status === 401) return WITHOUT_TOKEN;
  try {
    const { error } = (await response.json()) as { error?: unknown };
    if (typeof error === "string") return error;
  } catch {
    // Not JSON: the status is all that is known.
  }
  return `The dashboard answered with status ${response.status}.`;
}
