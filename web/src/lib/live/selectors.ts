import type { Channel, ChannelMessage, Task, TaskStatus } from '@/api/types';

import type { Draft, LiveState, Pending } from './state';

/** What a channel shows, in order; `key` stays the same while an item changes its kind. */
export type TimelineItem =
  | { kind: 'message'; key: string; message: ChannelMessage }
  | { kind: 'draft'; key: string; draft: Draft }
  | { kind: 'pending'; key: string; pending: Pending };

const FINAL: ReadonlySet<TaskStatus> = new Set(['completed', 'failed', 'cancelled']);

export function isFinal(task: Task): boolean {
  return FINAL.has(task.status);
}

export function channelByName(state: LiveState, name: string): Channel | undefined {
  return state.channels.find((channel) => channel.name === name);
}

/** How many messages nobody has read, in all channels. */
export function unreadOf({ channels }: LiveState): number {
  return channels.reduce((sum, channel) => sum + channel.unread, 0);
}

/** A channel's messages, then replies being written, then what is not confirmed yet. */
export function timelineOf(state: LiveState, channelId: string): TimelineItem[] {
  const outbox = state.outbox.filter((pending) => pending.channelId === channelId);
  const held = heldBehind(outbox);
  const items: TimelineItem[] = [];
  for (const id of state.timelines[channelId] ?? []) {
    const message = state.messages[id];
    if (message === undefined) continue;
    const clientId = state.confirmed[id];
    if (message.role === 'user' && clientId === undefined && message.seq > held) continue;
    items.push({ kind: 'message', key: clientId ?? id, message });
  }
  for (const pending of outbox) items.push({ kind: 'pending', key: pending.clientId, pending });
  for (const draft of Object.values(state.drafts)) {
    if (draft.channelId === channelId) items.push({ kind: 'draft', key: draft.id, draft });
  }
  return items;
}

/**
 * While a send is under way, its event may come before its answer, and only the answer tells
 * which event it is. Until then newer messages of the user stay hidden: the pending one stands
 * for them, and nothing is ever shown twice.
 */
function heldBehind(outbox: readonly Pending[]): number {
  const sending = outbox.filter(({ status }) => status === 'sending');
  return Math.min(Number.POSITIVE_INFINITY, ...sending.map(({ afterSeq }) => afterSeq));
}

/** True while the person's latest message has no answer and none is being written. */
export function awaitsReply(items: readonly TimelineItem[]): boolean {
  const drafts = items.filter((item) => item.kind === 'draft');
  if (drafts.length > 0) return drafts.every(({ draft }) => draft.text === '');
  if (items.some((item) => item.kind === 'pending' && item.pending.status === 'sending')) return true;
  const messages = items.filter((item) => item.kind === 'message').map(({ message }) => message);
  const asked = messages.findLast(({ role }) => role === 'user');
  return asked !== undefined && !messages.some(({ in_reply_to }) => in_reply_to === asked.id);
}

/** Tasks under way, oldest first, and the latest finished ones, newest first. */
export function taskLists(
  tasks: LiveState['tasks'],
  recent = 8,
): { active: Task[]; finished: Task[] } {
  const all = Object.values(tasks);
  const active = all.filter((task) => !isFinal(task));
  const finished = all.filter(isFinal);
  active.sort((a, b) => compareTimes(a.created_at, b.created_at));
  finished.sort((a, b) => compareTimes(b.updated_at, a.updated_at));
  return { active, finished: finished.slice(0, recent) };
}

function compareTimes(a: string, b: string): number {
  return Date.parse(a) - Date.parse(b);
}
