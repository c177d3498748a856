# Redrive for production: `docker build -t redrive .`, then one of the roles `migrate`, `api` and `worker`.
# Postgres and Temporal are servers of their own there, named by DATABASE_URL and TEMPORAL_ADDRESS.

FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY clients/typescript/package.json clients/typescript/
COPY console/package.json console/
COPY cli/package.json cli/
COPY cli/bin cli/bin
RUN npm ci --include=dev
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
COPY clients clients
COPY console console
COPY cli cli
RUN node scripts/build.mjs

FROM node:20-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# What the console is made of is in its files.
COPY clients/typescript/package.json clients/typescript/
COPY console/package.json console/
COPY cli/package.json cli/
# The optional ones are the embedded Postgres and what only the bundler needs.
RUN npm ci --omit=dev --omit=optional

FROM node:20-bookworm-slim
ENV NODE_ENV=production REDRIVE_HOST=0.0.0.0 REDRIVE_DEMO=0
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/console/dist console/dist
# `docker run --rm --entrypoint redrive redrive --help`: the command line, which needs nothing beside it.
COPY --from=build /app/cli/dist/package /usr/local/lib/redrive
RUN ln -s ../lib/redrive/bin/redrive.js /usr/local/bin/redrive && chmod +x /usr/local/lib/redrive/bin/redrive.js
COPY package.json ./
COPY migrations migrations
# By number: a cluster that forbids root cannot know who `node` is.
USER 1000:1000
EXPOSE 4400
# Exec form: signals reach Node itself, which then stops in order.
# Room for what lives as long as a request: a worker collects a tenth less of its time, for some 40 MiB.
ENTRYPOINT ["node", "--max-semi-space-size=32", "dist/main.js"]
CMD ["api"]
