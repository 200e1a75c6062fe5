// Holds one connection to an actor for as long as the test wants.
// Arguments: endpoint, namespace, pool, encoding, {name, key, params, events} as JSON.
// Calls an action for each line `[number, action, ...arguments]` of its input, whose end is its own.
// Prints a line for each change of the connection's status, each event and each answer.
import { createInterface } from "node:readline";
import { createClient } from "rivetkit/client";

const [endpoint, namespace, poolName, encoding, place] = process.argv.slice(2);
const { name, key, params, events } = JSON.parse(place);
const say = (line) => console.log(JSON.stringify(line));

const client = createClient({
  endpoint,
  namespace,
  poolName,
  ...(encoding === "default" ? {} : { encoding }),
});
const connection = client[name].getOrCreate(key, { params }).connect();
connection.onStatusChange((status) => say({ status }));
for (const event of events) connection.on(event, (...args) => say({ event, args }));

for await (const line of createInterface({ input: process.stdin })) {
  const [call, action, ...args] = JSON.parse(line);
  connection[action](...args).then(
    (value) => say({ call, value }),
    ({ group, code, message: text }) => say({ call, error: `${group}.${code}: ${text}` }),
  );
}
await connection.dispose();
await client.dispose();
