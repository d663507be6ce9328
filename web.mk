# How the terminal is built: `make web` writes it into the package, `make web-test` runs the
# model's unit tests and the type check. Node is needed here and nowhere else: the built files
# are committed, and `make web-check` fails when they are not what the sources build.
# The size budget is part of the build (web/vite.config.ts).
WEB_MODULES := web/node_modules/.package-lock.json

.PHONY: web-test web-mock

$(WEB_MODULES): web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund --silent

web: $(WEB_MODULES)
	cd web && npm run --silent check && npm run --silent build

web-test: $(WEB_MODULES)
	cd web && npm run --silent check && npm test --silent

# A pretend house for working on the page: http://127.0.0.1:8900/trade/
web-mock: web
	cd web && node mock/server.mjs
