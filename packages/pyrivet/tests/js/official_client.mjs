// Uses an actor as any JavaScript program would; prints what came back as one line of JSON.
// Arguments: endpoint, namespace, pool, encoding, key.
import { createClient } from "rivetkit/client";

const [endpoint, namespace, poolName, encoding, key] = process.argv.slice(2);
const client = createClient({
  endpoint,
  namespace,
  poolName,
  // Without one it uses its default, which must work as well.
  ...(encoding === "default" ? {} : { encoding }),
});
const seen = {};

async function failure(run) {
  try {
    await run();
    return null;
  } catch ({ group, code, message, metadata }) {
    return { group, code, message, metadata };
  }
}

// A BigInt and bytes do not survive JSON.stringify.
const plain = (_, value) =>
  typeof value === "bigint"
    ? `${value}n`
    : value instanceof Uint8Array
      ? `bytes ${[...value]}`
      : value === undefined
        ? null
        : value;

const handle = client.probe.getOrCreate([key]);
seen.http = await handle.increment(2);
seen.httpFailure = await failure(() => handle.fail());
seen.httpHidden = await failure(() => handle.crash());
seen.httpMissing = await failure(() => handle.nonsense());
seen.httpInvalid = await failure(() => handle.increment("many"));

const values = [null, true, 1.5, "é", [1, [2]], { a: { b: [] } }, ["$x", 1], 12345678901234567890n, new Uint8Array([0, 255])];
seen.httpEcho = await Promise.all(values.map((value) => handle.echo(value)));
seen.length = await handle.length(new Uint8Array([1, 2, 255]));

const connection = handle.connect();
const changes = [];
const third = new Promise((resolve) => {
  connection.on("changed", (...args) => changes.push(args) === 3 && resolve());
});
const noted = new Promise((resolve) => connection.on("note", (...args) => resolve(args)));
seen.connected = await connection.increment(3);
seen.echo = await Promise.all(values.map((value) => connection.echo(value)));
seen.failure = await failure(() => connection.fail());
seen.hidden = await failure(() => connection.crash());
await connection.increment(1);
seen.answered = await handle.send("adds", 10, { wait: true, timeout: 20_000 });
await third;
seen.changes = changes;
await connection.whisper("psst");
seen.note = await noted;
seen.sent = (await connection.send("adds", 100)) ?? null;
seen.timedOut = await handle.send("slow", null, { wait: true, timeout: 50 });
await connection.release();
seen.queueFailure = await failure(() => handle.send("adds", -1, { wait: true, timeout: 20_000 }));
seen.queueMissing = await failure(() => handle.send("nowhere", 1));
seen.total = await connection.get();

const response = await handle.fetch("/hello?name=world", { method: "POST", body: "payload" });
seen.raw = [response.status, response.headers.get("x-kind"), await response.text()];

await connection.dispose();
await client.dispose();
console.log(JSON.stringify(seen, plain));
