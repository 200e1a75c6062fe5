import type { ChannelMessage, Role } from '@/api/types';

import { channelSeq, type WireEvent } from './events';
import type { Draft, LiveState, Pending } from './state';

/** Adds or replaces messages of one channel; a message that is known keeps its place. */
export function addMessages(
  state: LiveState,
  channelId: string,
  added: readonly ChannelMessage[],
): LiveState {
  if (added.length === 0) return state;
  const messages = { ...state.messages };
  const known = new Set(state.timelines[channelId]);
  const drafts = { ...state.drafts };
  for (const message of added) {
    messages[message.id] = message;
    known.add(message.id);
    Reflect.deleteProperty(drafts, message.id);
  }
  const position = (id: string): number => messages[id]?.seq ?? 0;
  const timeline = [...known].sort((a, b) => position(a) - position(b));
  return {
    ...state,
    messages,
    drafts,
    timelines: { ...state.timelines, [channelId]: timeline },
  };
}

/** `message.created` and `message.completed`. */
export function applyMessage(state: LiveState, event: WireEvent): LiveState {
  const message = messageOf(event);
  if (message === null) return state;
  const isNew = state.messages[message.id] === undefined;
  let next = addMessages(state, event.channel_id, [message]);
  if (message.in_reply_to != null) next = dropDrafts(next, event.channel_id);
  return isNew && message.role !== 'user' ? countUnread(next, event) : next;
}

/** `message.delta`: the next piece of a reply. */
export function applyDelta(state: LiveState, event: WireEvent): LiveState {
  const { message_id: id, text } = event.data;
  if (typeof id !== 'string' || typeof text !== 'string') return state;
  if (state.messages[id] !== undefined) return state;
  const draft: Draft = state.drafts[id] ?? {
    id,
    channelId: event.channel_id,
    text: '',
    at: event.at,
    torn: false,
  };
  if (draft.torn) return state;
  return {
    ...state,
    drafts: { ...state.drafts, [id]: { ...draft, text: draft.text + text } },
  };
}

/** After a lost connection the pieces of unfinished replies have holes. */
export function tearDrafts(state: LiveState): LiveState {
  const entries = Object.values(state.drafts);
  if (entries.length === 0) return state;
  return {
    ...state,
    drafts: Object.fromEntries(
      entries.map((draft) => [draft.id, { ...draft, text: '', torn: true }]),
    ),
  };
}

export function startSending(state: LiveState, pending: Omit<Pending, 'afterSeq' | 'status'>) {
  const last = state.timelines[pending.channelId]?.at(-1);
  const before = state.outbox.find(({ clientId }) => clientId === pending.clientId);
  // What was tried before may have arrived then.
  const afterSeq = before?.afterSeq ?? (last === undefined ? 0 : (state.messages[last]?.seq ?? 0));
  const entry: Pending = { ...pending, afterSeq, status: 'sending' };
  const others = state.outbox.filter((one) => one !== before);
  return { ...state, outbox: [...others, entry] };
}

interface Failure {
  clientId: string;
  error: string;
  needsPlan?: boolean;
  retryable?: boolean;
}

export function failSending(
  state: LiveState,
  { clientId, error, needsPlan = false, retryable = false }: Failure,
): LiveState {
  return {
    ...state,
    outbox: state.outbox.map((entry) =>
      entry.clientId === clientId
        ? { ...entry, status: 'failed', error, needsPlan, retryable }
        : entry,
    ),
  };
}

export function discard(state: LiveState, clientId: string): LiveState {
  return {
    ...state,
    outbox: state.outbox.filter((entry) => entry.clientId !== clientId),
  };
}

/** The server holds the message now, under its own id. */
export function acceptSending(
  state: LiveState,
  clientId: string,
  messageId: string,
  seq: number,
): LiveState {
  const entry = state.outbox.find((pending) => pending.clientId === clientId);
  const next = confirm(state, clientId, messageId);
  if (entry === undefined || state.messages[messageId] !== undefined) return next;
  const message: ChannelMessage = {
    id: messageId,
    seq,
    role: 'user',
    author: entry.author,
    text: entry.text,
    in_reply_to: null,
    at: entry.at,
    metadata: entry.answers === undefined ? {} : { answers: entry.answers },
  };
  return addMessages(next, entry.channelId, [message]);
}

function confirm(state: LiveState, clientId: string, messageId: string): LiveState {
  if (state.confirmed[messageId] !== undefined) return discard(state, clientId);
  return {
    ...discard(state, clientId),
    confirmed: { ...state.confirmed, [messageId]: clientId },
  };
}

/** An agent writes one reply at a time: what is left when one ends belongs to a lost attempt. */
function dropDrafts(state: LiveState, channelId: string): LiveState {
  const rest = Object.entries(state.drafts).filter(([, draft]) => draft.channelId !== channelId);
  return { ...state, drafts: Object.fromEntries(rest) };
}

/** The server's count covers everything up to `last_message_at`; what is newer adds to it. */
function countUnread(state: LiveState, { channel_id: channelId, at }: WireEvent): LiveState {
  const channels = state.channels.map((channel) => {
    const counted = channel.last_message_at ?? null;
    if (channel.id !== channelId) return channel;
    if (counted !== null && Date.parse(at) <= Date.parse(counted)) return channel;
    const unread = channelId === state.openChannel ? 0 : channel.unread + 1;
    return { ...channel, unread, last_message_at: at };
  });
  return { ...state, channels };
}

function messageOf(event: WireEvent): ChannelMessage | null {
  const { data } = event;
  const id = data.message_id ?? data.id;
  if (typeof id !== 'string' || typeof data.text !== 'string') return null;
  return {
    id,
    seq: channelSeq(event),
    role: roleOf(data.role),
    author: typeof data.author === 'string' ? data.author : '',
    text: data.text,
    in_reply_to: typeof data.in_reply_to === 'string' ? data.in_reply_to : null,
    at: event.at,
    metadata:
      typeof data.metadata === 'object' && data.metadata !== null
        ? (data.metadata as Record<string, unknown>)
        : {},
  };
}

function roleOf(value: unknown): Role {
  return value === 'user' || value === 'system' ? value : 'agent';
}
