import { gzipSync } from "node:zlib";
import type { Plugin, Rollup } from "vite";

type Chunks = Record<string, Rollup.OutputAsset | Rollup.OutputChunk>;

/** The page that opens first: its script is loaded beside the entry's. */
const FIRST_PAGE = /\/src\/pages\/overview\.tsx$/;

/** Fails the build where the first route's script, compressed, is more than this. */
export function weight({ firstRouteBytes }: { firstRouteBytes: number }): Plugin {
  return {
    name: "weight",
    apply: "build",
    generateBundle(_options, bundle) {
      const names = firstRoute(bundle as Chunks);
      const bytes = [...names].reduce((sum, name) => {
        const chunk = bundle[name];
        return sum + (chunk?.type === "chunk" ? gzipSync(chunk.code, { level: 9 }).length : 0);
      }, 0);
      const said = `the first route's script is ${(bytes / 1024).toFixed(1)} KB gzipped (${names.size} files)`;
      if (bytes > firstRouteBytes) {
        this.error(
          `${said}, more than ${firstRouteBytes / 1024} KB: load what is not needed there lazily.`,
        );
      }
      this.info(said);
    },
  };
}

function firstRoute(bundle: Chunks): Set<string> {
  const names = new Set<string>();
  const add = (name: string): void => {
    const chunk = bundle[name];
    if (names.has(name) || chunk?.type !== "chunk") return;
    names.add(name);
    chunk.imports.forEach(add);
  };
  let first = "";
  for (const chunk of Object.values(bundle)) {
    if (chunk.type !== "chunk") continue;
    if (chunk.isEntry) add(chunk.fileName);
    if (FIRST_PAGE.test(chunk.facadeModuleId ?? "")) first = chunk.fileName;
  }
  if (!first) throw new Error(`No chunk is made of ${FIRST_PAGE}: plugins/weight.ts watches it.`);
  add(first);
  return names;
}
