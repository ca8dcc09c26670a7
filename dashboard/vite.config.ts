// Builds the metrics server's page into the crate that embeds it: fixed names, one script, one style sheet, nothing inline.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte(), tailwindcss()],
  publicDir: "static",
  build: {
    outDir: "../crates/pages/assets",
    // The link page's style sheet is there, too.
    emptyOutDir: false,
    assetsInlineLimit: 0,
    modulePreload: false,
    target: "es2022",
    reportCompressedSize: false,
    rollupOptions: {
      input: { dashboard: "src/main.ts" },
      output: {
        entryFileNames: "[name].js",
        assetFileNames: "[name][extname]",
        // One file: nothing is loaded later, which could be of another build.
        codeSplitting: false,
      },
    },
  },
});
