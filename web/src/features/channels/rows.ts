import type { Channel, ChannelMessage } from '@/api/types';
import type { TimelineItem } from '@/lib/live/selectors';

/** Messages by one author this close together share a heading. */
const TOGETHER_MS = 5 * 60_000;

/** A channel's unread messages as they were counted when it was opened. */
export type Unread = Pick<Channel, 'unread' | 'last_message_at'>;

/** What stands in the message list: words, and the lines between them. */
export type Row =
  | { kind: 'day'; key: string; at: string }
  | { kind: 'new'; key: string }
  | { kind: 'item'; key: string; item: TimelineItem; continued: boolean };

/** Puts a line before each day and before the first unread message, and joins what belongs together. */
export function rowsOf(items: readonly TimelineItem[], agent: string, unread: Unread): Row[] {
  const firstNew = firstUnread(items, unread);
  const rows: Row[] = [];
  let before: Word | null = null;
  for (const item of items) {
    if (item.kind === 'draft' && item.draft.text === '') continue;
    const word = wordOf(item, agent);
    const sameDay = before !== null && dayOf(before.at) === dayOf(word.at);
    const isNew = item.kind === 'message' && item.message.id === firstNew;
    if (!sameDay) rows.push({ kind: 'day', key: `day:${item.key}`, at: word.at });
    if (isNew) rows.push({ kind: 'new', key: 'new' });
    const continued = before !== null && sameDay && !isNew && areTogether(before, word);
    rows.push({ kind: 'item', key: item.key, item, continued });
    before = word;
  }
  return rows;
}

/** The id of the first message that nobody has read, as far as it is loaded. */
function firstUnread(items: readonly TimelineItem[], unread: Unread): string | undefined {
  const messages = items.filter((item) => item.kind === 'message').map(({ message }) => message);
  return unreadIn(messages, unread)[0]?.id;
}

/**
 * The messages that nobody has read, as far as they are among `messages`. What came after the
 * count was made is not in it: the channel was on screen by then.
 */
export function unreadIn(
  messages: readonly ChannelMessage[],
  { unread, last_message_at: until }: Unread,
): ChannelMessage[] {
  if (unread === 0) return [];
  const isCounted = ({ role, at }: ChannelMessage): boolean =>
    role !== 'user' && (until == null || Date.parse(at) <= Date.parse(until));
  return messages.filter(isCounted).slice(-unread);
}

interface Word {
  role: ChannelMessage['role'];
  author: string;
  at: string;
}

function wordOf(item: TimelineItem, agent: string): Word {
  switch (item.kind) {
    case 'message':
      return item.message;
    case 'draft':
      return { role: 'agent', author: agent, at: item.draft.at };
    case 'pending':
      return { role: 'user', author: item.pending.author, at: item.pending.at };
  }
}

function areTogether(a: Word, b: Word): boolean {
  const sameAuthor = a.role === b.role && a.author === b.author;
  return sameAuthor && Date.parse(b.at) - Date.parse(a.at) < TOGETHER_MS;
}

function dayOf(at: string): string {
  return new Date(at).toDateString();
}
