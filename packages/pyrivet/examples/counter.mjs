// Uses the actor of counter.py with RivetKit's own client:
//   npm install rivetkit ws
//   node counter.mjs
// Reads RIVET_ENDPOINT, RIVET_NAMESPACE, RIVET_POOL and, to use another than its default encoding,
// RIVET_ENCODING (json, cbor or bare).
import { createClient } from "rivetkit/client";

const {
  RIVET_ENDPOINT: endpoint = "http://127.0.0.1:6420",
  RIVET_NAMESPACE: namespace = "default",
  RIVET_POOL: poolName = "default",
  RIVET_ENCODING: encoding,
} = process.env;
const client = createClient({ endpoint, namespace, poolName, ...(encoding && { encoding }) });
const counter = client.counter.getOrCreate([process.argv[2] ?? "visits"]);

console.log("over HTTP:", await counter.increment(2));

const connection = counter.connect();
const changed = new Promise((resolve) => connection.on("changed", resolve));
console.log("over a connection:", await connection.increment(3));
console.log("event:", await changed);

await counter.fail().catch(({ code, message }) => console.log("error:", code, message));
await connection.fail().catch(({ code, message }) => console.log("error:", code, message));

const { response } = await counter.send("adds", 4, { wait: true, timeout: 20_000 });
console.log("queue:", response);
console.log("total:", await counter.get());

await connection.dispose();
await client.dispose();
