import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { precompressed } from "./plugins/precompressed.ts";
import { weight } from "./plugins/weight.ts";

// `npm run dev` shows the pages of a running `clarity dashboard`; the server wants its own
// Host and Origin, and the token: CLARITY_DASHBOARD=http://127.0.0.1:3001 CLARITY_TOKEN=…
const dashboard = process.env.CLARITY_DASHBOARD ?? "http://127.0.0.1:3001";

export default defineConfig({
  plugins: [react(), tailwindcss(), weight({ firstRouteBytes: 150 * 1024 }), precompressed()],
  build: {
    outDir: "../clarity_otel/web/static",
    emptyOutDir: true,
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // the first with light-dark()
    // Inlined files would be data: addresses, which the policy allows images alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      "/api": {
        target: dashboard,
        changeOrigin: true,
        ws: true,
        headers: {
          origin: dashboard,
          authorization: `Bearer ${process.env.CLARITY_TOKEN ?? ""}`,
        },
      },
    },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
