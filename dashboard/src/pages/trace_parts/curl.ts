import type { Attributes, Span } from "../../api/types";

const SERVER = 2;
const CLIENT = 3;
/** RFC 9110's token: a name that could be read as another option, or as a file (`@…`), is none. */
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const HEADER = "http.request.header.";
/** curl finds these out by itself. */
const NOT_SENT = new Set(["host", "content-length", "connection", "transfer-encoding"]);

/**
 * The request of an HTTP server or client span as a curl command for a POSIX shell; undefined
 * where the span has no address. The body is not in a span, so it is not here. What was masked
 * stays masked.
 */
export function curlOf({
  kind,
  attributes,
}: Pick<Span, "kind" | "attributes">): string | undefined {
  if (kind !== SERVER && kind !== CLIENT) return undefined;
  const method = methodOf(attributes);
  const url = urlOf(attributes);
  if (!method || !url) return undefined;
  const parts = ["curl", "--globoff"];
  // With -X HEAD curl would wait for a body.
  if (method === "HEAD") parts.push("--head");
  else if (method !== "GET") parts.push(`-X ${quoted(method)}`);
  for (const line of headersOf(attributes)) parts.push(`-H ${quoted(line)}`);
  parts.push(`--url ${quoted(url)}`);
  return parts.join(" ");
}

/** As one word of a POSIX shell, whatever is in it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function methodOf(attributes: Attributes): string | undefined {
  const known = text(attributes, "http.request.method", "http.method");
  const method = known === "_OTHER" ? text(attributes, "http.request.method_original") : known;
  return method && TOKEN.test(method) ? method : undefined;
}

/** http and https alone, escaped: a span must not make anyone read a file or a control sequence. */
function urlOf(attributes: Attributes): string | undefined {
  const whole = text(attributes, "url.full", "http.url") ?? fromParts(attributes);
  if (!whole) return undefined;
  try {
    const { protocol, href } = new URL(whole);
    return protocol === "http:" || protocol === "https:" ? href : undefined;
  } catch {
    return undefined;
  }
}

function fromParts(attributes: Attributes): string | undefined {
  const host = text(attributes, "server.address", "net.host.name", "http.host");
  if (!host) return undefined;
  const scheme = text(attributes, "url.scheme", "http.scheme") ?? "http";
  const port = text(attributes, "server.port", "net.host.port");
  const target = text(attributes, "http.target");
  const query = text(attributes, "url.query");
  const path = text(attributes, "url.path") ?? target ?? "/";
  const name = host.includes(":") && !host.startsWith("[") && port ? `[${host}]` : host;
  const place = port ? `${name}:${port}` : name;
  return `${scheme}://${place}${path}${query ? `?${query.replace(/^\?/, "")}` : ""}`;
}

function headersOf(attributes: Attributes): string[] {
  const lines: string[] = [];
  const add = (name: string, value: unknown) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these would end the header
    if (!TOKEN.test(name) || /[\u0000-\u001f\u007f]/.test(String(value))) return;
    lines.push(`${name}: ${String(value)}`);
  };
  for (const [key, value] of Object.entries(attributes)) {
    if (!key.startsWith(HEADER)) continue;
    const name = key.slice(HEADER.length).replaceAll("_", "-");
    if (NOT_SENT.has(name.toLowerCase())) continue;
    for (const one of Array.isArray(value) ? value : [value]) add(name, one);
  }
  const agent = text(attributes, "user_agent.original", "http.user_agent");
  if (agent && !lines.some((line) => /^user-agent:/i.test(line))) add("user-agent", agent);
  return lines;
}

function text(attributes: Attributes, ...names: string[]): string | undefined {
  for (const name of names) {
    const value = attributes[name];
    if ((typeof value === "string" && value !== "") || typeof value === "number") {
      return String(value);
    }
  }
  return undefined;
}
