import type { Channel, ChannelMessage, Task } from '@/api/types';

/** A reply that is still being written. */
export interface Draft {
  id: string;
  channelId: string;
  text: string;
  at: string;
  /** Pieces were lost with a connection: only the finished message can be shown. */
  torn: boolean;
}

/** A message of this browser that the server has not confirmed. */
export interface Pending {
  /** Also its idempotency key: sending again makes no second message. */
  clientId: string;
  channelId: string;
  text: string;
  author: string;
  at: string;
  /** Id of the question that it answers. */
  answers?: string | undefined;
  /** The channel's last position when sending began. */
  afterSeq: number;
  status: 'sending' | 'failed';
  error?: string;
  /** Another plan, or paying, would have let it through. */
  needsPlan?: boolean;
  /** The server could not be reached or was not ready: it is sent again when it is back. */
  retryable?: boolean;
}

export interface LogLine {
  /** Unique in its channel and the same however the line arrives. */
  id: string;
  seq: number;
  taskId: string | null;
  stream: string;
  text: string;
}

/** Everything that the stream keeps up to date; changed only by `reduce`. */
export interface LiveState {
  messages: Readonly<Record<string, ChannelMessage>>;
  /** Ids of a channel's messages, oldest first. */
  timelines: Readonly<Record<string, readonly string[]>>;
  drafts: Readonly<Record<string, Draft>>;
  outbox: readonly Pending[];
  /** Client ids of confirmed messages by message id. */
  confirmed: Readonly<Record<string, string>>;
  /** In the server's order. */
  channels: readonly Channel[];
  /** The channel on screen, in which nothing is unread. */
  openChannel: string | null;
  tasks: Readonly<Record<string, Task>>;
  /** By channel, oldest first, bounded. */
  logs: Readonly<Record<string, readonly LogLine[]>>;
}

export const EMPTY: LiveState = {
  messages: {},
  timelines: {},
  drafts: {},
  outbox: [],
  confirmed: {},
  channels: [],
  openChannel: null,
  tasks: {},
  logs: {},
};
