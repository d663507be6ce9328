/**
 * The build of the terminal.
 *
 * Promises: the same sources give the same bytes (no dates, no machine paths), all under
 * /static/terminal/, and a page that runs under `style-src 'self'; script-src 'self'`.
 */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/**
 * The chart library puts a <style> element beside its attribution logo, which a strict content
 * policy refuses. The logo stays; its five rules stand in src/styles/chart.css instead. The build
 * fails when the library changes so that this no longer applies.
 */
function logoStyleInOurSheet(): Plugin {
  const injected =
    /this\.(\w+)=document\.createElement\("style"\),this\.\1\.innerText="a#tv-attr-logo[^"]*",/;
  return {
    name: 'fondaco-logo-style',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('lightweight-charts.production')) return null;
      if (!injected.test(code)) {
        this.error('the logo style is no longer where it was: read vite.config.ts');
      }
      return { code: code.replace(injected, 'this.$1=document.createElement("i"),'), map: null };
    },
  };
}

/** Kilobytes after gzip for everything but the font, which is kept for a year by its name. */
const BUDGET_KB = 150;
const FONT_BUDGET_KB = 50;

/** Fails the build when the page outgrows its budget, and says how large it is. */
function sizeBudget(): Plugin {
  return {
    name: 'fondaco-size-budget',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const bytes = Object.values(bundle).reduce(
          (sum, one) => sum + gzipSync(one.type === 'chunk' ? one.code : one.source).length,
          0,
        );
        const said = `${(bytes / 1000).toFixed(1)} KB gz of ${BUDGET_KB}`;
        if (bytes > BUDGET_KB * 1000) this.error(`the terminal is over its size budget: ${said}`);
        const font = readFileSync(
          new URL('public/fonts/inter-latin.woff2', import.meta.url),
        ).length;
        if (font > FONT_BUDGET_KB * 1000) this.error(`the font is over ${FONT_BUDGET_KB} KB`);
        this.info(`terminal ${said}`);
      },
    },
  };
}

export default defineConfig(({ mode }) => ({
  base: '/static/terminal/',
  plugins: [svelte(), logoStyleInOurSheet(), sizeBudget()],
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  build: {
    outDir: '../src/fondaco/office/static/terminal',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    sourcemap: false,
    reportCompressedSize: false,
    modulePreload: false,
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  server: {
    port: 5173,
    proxy: {
      '/api': 'http://127.0.0.1:8900',
      '/stream': { target: 'http://127.0.0.1:8900', ws: true },
    },
  },
  test: { include: ['test/**/*.test.ts'], environment: 'node' },
}));
