import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { Attributes } from "../../api/types";
import { curlOf, quoted } from "./curl";

const client = (attributes: Attributes) => curlOf({ kind: 3, attributes });
const REQUEST = { "http.request.method": "GET", "url.full": "http://shop/a" };

describe("a curl command", () => {
  it("is that of a client span's address", () => {
    expect(client(REQUEST)).toBe("curl --globoff --url 'http://shop/a'");
  });

  it("is put together from a server span's parts", () => {
    const attributes = {
      "http.request.method": "POST",
      "url.scheme": "http",
      "server.address": "127.0.0.1",
      "server.port": 8000,
      "url.path": "/orders/7",
      "url.query": "a=1",
      "http.request.header.x-tenant": ["blue"],
      "user_agent.original": "test's",
    };
    expect(curlOf({ kind: 2, attributes })).toBe(
      `curl --globoff -X 'POST' -H 'x-tenant: blue' -H 'user-agent: test'\\''s' --url 'http://127.0.0.1:8000/orders/7?a=1'`,
    );
  });

  it("is not there for other spans, files, or what is no method", () => {
    expect(curlOf({ kind: 1, attributes: REQUEST })).toBeUndefined();
    expect(client({ "url.full": "http://shop/a" })).toBeUndefined();
    expect(client({ ...REQUEST, "url.full": "file:///etc/passwd" })).toBeUndefined();
    expect(client({ ...REQUEST, "http.request.method": "GET; rm -rf /" })).toBeUndefined();
  });

  it("has no header that curl would take for a file, or that hides another", () => {
    const hostile = {
      "http.request.header.@/etc/passwd": ["x"],
      "http.request.header.x-a": ["1\r\nevil: 2"],
    };
    expect(client({ ...REQUEST, ...hostile })).toBe(client(REQUEST));
  });

  it("is one word of a shell, whatever the text", () => {
    for (const text of ["it's", "$(touch /tmp/x)", "`id`", 'a"b\\c', "a\nb", "!x", "", "-X"]) {
      const shown = execFileSync("/bin/sh", ["-c", `printf %s ${quoted(text)}`], {
        encoding: "utf8",
      });
      expect(shown).toBe(text);
    }
  });
});
