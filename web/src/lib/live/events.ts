/** One event of the Grow Agent's stream, as it comes over the wire. */
export interface WireEvent {
  /** Position in the stream; null for `message.delta`, which is not stored. */
  seq: number | null;
  type: string;
  at: string;
  /** The agent it is about, and that agent's channel. */
  actor_id: string;
  channel_id: string;
  task_id: string | null;
  /** With a sub-agent's event: its position in that agent's own stream. */
  source_seq?: number | null;
  data: Record<string, unknown>;
}

/** Reads one `data:` payload; null when it is not an event we can place. */
export function parseEvent(payload: string): WireEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const { seq = null, type, at, actor_id, channel_id, task_id, source_seq, data } = value;
  if (seq !== null && (typeof seq !== 'number' || !Number.isSafeInteger(seq))) return null;
  if (typeof type !== 'string' || typeof channel_id !== 'string') return null;
  return {
    seq,
    type,
    at: text(at),
    actor_id: text(actor_id),
    channel_id,
    task_id: typeof task_id === 'string' ? task_id : null,
    source_seq: typeof source_seq === 'number' ? source_seq : null,
    data: isRecord(data) ? data : {},
  };
}

/** Its position in the stream of the agent it is about, by which a channel is sorted. */
export function channelSeq(event: WireEvent): number {
  const inner = event.data.source_seq;
  return event.source_seq ?? (typeof inner === 'number' ? inner : null) ?? event.seq ?? 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
