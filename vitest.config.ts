import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    retry: 0,
    reporters: ["default", "./test/support/count-reporter.ts"],
    projects: [
      {
        test: {
          name: "node",
          environment: "node",
          include: ["test/{architecture,unit,property,contract,vectors,sim}/**/*.test.ts"],
        },
      },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
        test: { name: "workers", include: ["test/workers/**/*.test.ts"], testTimeout: 30_000 },
      },
      {
        // The local server as a process of its own, started, used and killed.
        test: { name: "local", environment: "node", include: ["test/local/**/*.test.ts"], testTimeout: 120_000 },
      },
    ],
  },
});
