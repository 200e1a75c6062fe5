import type { Channel, ChannelMessage, Task } from '@/api/types';

import type { WireEvent } from './events';
import {
  acceptSending,
  addMessages,
  applyDelta,
  applyMessage,
  discard,
  failSending,
  startSending,
  tearDrafts,
} from './messages';
import type { LiveState, LogLine, Pending } from './state';
import { addLog, addTasks, applyLog, applyTask } from './tasks';

export type LiveAction =
  | { type: 'event'; event: WireEvent }
  | { type: 'stream.broken' }
  | { type: 'channels.loaded'; channels: readonly Channel[] }
  | { type: 'channel.opened'; channelId: string | null }
  | {
      type: 'history.loaded';
      channelId: string;
      messages: readonly ChannelMessage[];
    }
  | { type: 'log.loaded'; channelId: string; lines: readonly LogLine[] }
  | { type: 'tasks.loaded'; tasks: readonly Task[] }
  | { type: 'outbox.restored'; outbox: readonly Pending[] }
  | { type: 'send.started'; pending: Omit<Pending, 'afterSeq' | 'status'> }
  | { type: 'send.accepted'; clientId: string; messageId: string; seq: number }
  | {
      type: 'send.failed';
      clientId: string;
      error: string;
      needsPlan?: boolean;
      retryable?: boolean;
    }
  | { type: 'send.discarded'; clientId: string };

/**
 * The next state. Pure, and safe to repeat: the same event, page or answer applied again, or a
 * page that overlaps with events, changes nothing that a person sees.
 */
export function reduce(state: LiveState, action: LiveAction): LiveState {
  switch (action.type) {
    case 'event':
      return applyEvent(state, action.event);
    case 'stream.broken':
      return tearDrafts(state);
    case 'channels.loaded':
      return read({ ...state, channels: action.channels }, state.openChannel);
    case 'channel.opened':
      return read({ ...state, openChannel: action.channelId }, action.channelId);
    case 'history.loaded':
      return addMessages(state, action.channelId, action.messages);
    case 'log.loaded':
      return addLog(state, action.channelId, action.lines);
    case 'tasks.loaded':
      return addTasks(state, action.tasks);
    case 'outbox.restored':
      return { ...state, outbox: action.outbox };
    case 'send.started':
      return startSending(state, action.pending);
    case 'send.accepted':
      return acceptSending(state, action.clientId, action.messageId, action.seq);
    case 'send.failed':
      return failSending(state, action);
    case 'send.discarded':
      return discard(state, action.clientId);
  }
}

function applyEvent(state: LiveState, event: WireEvent): LiveState {
  switch (event.type) {
    case 'message.created':
    case 'message.completed':
      return applyMessage(state, event);
    case 'message.delta':
      return applyDelta(state, event);
    case 'channel.read':
      return read(state, event.channel_id);
    case 'agent.status':
      return applyStatus(state, event);
    case 'task.log':
      return applyLog(state, event);
    default:
      return event.type.startsWith('task.') ? applyTask(state, event) : state;
  }
}

function applyStatus(state: LiveState, event: WireEvent): LiveState {
  const { status } = event.data;
  if (typeof status !== 'string') return state;
  const channels = state.channels.map((channel) =>
    channel.id === event.channel_id ? { ...channel, status } : channel,
  );
  return { ...state, channels };
}

function read(state: LiveState, channelId: string | null): LiveState {
  const channels = state.channels.map((channel) =>
    channel.id === channelId && channel.unread > 0 ? { ...channel, unread: 0 } : channel,
  );
  return { ...state, channels };
}
