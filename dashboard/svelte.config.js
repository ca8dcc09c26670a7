// What svelte-check and Vite both read. Runes only: state is marked where it is made.
import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";

export default { preprocess: vitePreprocess(), compilerOptions: { runes: true } };
