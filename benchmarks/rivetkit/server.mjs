// The actors of `benchmarks/actors.py` written with RivetKit: `node server.mjs ENDPOINT TOKEN POOL`.
// Prints "ready" once the engine knows this process.
import { actor, setup } from "rivetkit";
import { db } from "rivetkit/db";

const [endpoint, token, poolName] = process.argv.slice(2);

const counter = (options) =>
  actor({
    options,
    db: db({
      onMigrate: async (database) => {
        await database.execute("CREATE TABLE IF NOT EXISTS total AS SELECT 0 AS value");
      },
    }),
    actions: {
      echo: (_context, value) => value,
      increment: async (context, by) => {
        const rows = await context.db.execute(
          "UPDATE total SET value = value + ? RETURNING value",
          by,
        );
        return rows[0].value;
      },
      publish: (context, value) => {
        context.broadcast("news", value);
      },
    },
  });

const registry = setup({
  use: { awake: counter({ noSleep: true }), sleepy: counter({ sleepTimeout: 100 }) },
  endpoint,
  token,
  envoy: { poolName },
  startServices: false,
  noWelcome: true,
  logging: { level: "error" },
});
await registry.startAndWait();
console.log("ready");
