import { useState } from 'react';

import type { TimelineItem } from '@/lib/live/selectors';

import { unreadIn } from './rows';
import type { Opened } from './useOpened';

/** So many of the newest items are drawn at first, and at least so many above where one begins. */
const FIRST = 100;
const ABOVE = 20;
/** So many more are drawn on demand. */
const MORE = 50;

/**
 * The newest of a channel's items: a tab that stays open for months holds thousands, and drawing
 * them all would take seconds. What is older is drawn on demand.
 */
export function useWindow(items: readonly TimelineItem[], opened: Opened) {
  const [size, setSize] = useState(() => Math.max(FIRST, sizeToBegin(items, opened) + ABOVE));
  return {
    drawn: items.length > size ? items.slice(-size) : items,
    /** How many items are here but not drawn. */
    left: Math.max(0, items.length - size),
    more: () => setSize(size + MORE),
  };
}

/** How many items there are from where reading begins to the end. */
function sizeToBegin(items: readonly TimelineItem[], { unread, question }: Opened): number {
  const messages = items.filter((item) => item.kind === 'message').map(({ message }) => message);
  const begin = question ?? unreadIn(messages, unread)[0]?.id;
  const index = messages.findIndex(({ id }) => id === begin);
  return index < 0 ? 0 : items.length - index;
}
