// Decodes frames with the engine's own codec, and says what it read and how it writes that again.
// Reads lines `ToRivet HEX` or `ToEnvoy HEX`; answers each with one line of JSON.
import * as protocol from "@rivetkit/engine-envoy-protocol";
import { createInterface } from "node:readline";

const hex = (bytes) => Buffer.from(bytes).toString("hex");

// The values in the order of the schema, without names, tags of unions and what is absent.
function* leaves(value) {
  if (value === null || value === undefined) return;
  if (ArrayBuffer.isView(value)) yield hex(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  else if (value instanceof ArrayBuffer) yield hex(value);
  else if (value instanceof Map) for (const entry of value) yield* leaves([...entry]);
  else if (Array.isArray(value)) for (const item of value) yield* leaves(item);
  else if (typeof value === "object") {
    for (const [key, item] of Object.entries(value)) if (key !== "tag") yield* leaves(item);
  } else yield String(value);
}

console.log(
  JSON.stringify({
    StopCode: protocol.StopCode,
    StopReason: protocol.StopActorReason,
    AbortKind: protocol.HttpStreamAbortReasonKind,
  }),
);
for await (const line of createInterface({ input: process.stdin })) {
  const [kind, frame] = line.split(" ");
  const message = protocol[`decode${kind}`](new Uint8Array(Buffer.from(frame, "hex")));
  console.log(
    JSON.stringify({
      frame: hex(protocol[`encode${kind}`](message)),
      leaves: [...leaves(message)],
    }),
  );
}
