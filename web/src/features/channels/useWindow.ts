import { useState } from 'react';

import type { TimelineItem } from '@/lib/live/selectors';

import { unreadIn } from './rows';
import type { Opened } from './useOpened';

/** So many of the newest items are drawn at first, and at least so many above where one begins. */
const FIRST = 100;
const ABOVE = 20;
/** So many more are drawn on demand, and at most so many at once. */
const MORE = 50;
const MOST = 200;

/** The part of a channel that is drawn: `size` items, the last of them `to`; null: the newest. */
interface Part {
  to: string | null;
  size: number;
}

const NEWEST: Part = { to: null, size: FIRST };

/**
 * The part of a channel's items that is drawn: a tab that stays open for months holds thousands,
 * and drawing them all would take seconds. More is drawn on demand in both directions, and what is
 * far from there is dropped.
 */
export function useWindow(items: readonly TimelineItem[], opened: Opened) {
  const [part, setPart] = useState(() => partToBegin(items, opened));
  const end = endOf(items, part);
  const start = Math.max(0, end - part.size);

  const earlier = (): void => {
    const size = end - start + MORE;
    const dropped = Math.max(0, size - MOST);
    setPart({ to: dropped === 0 ? part.to : keyBefore(items, end - dropped), size: size - dropped });
  };
  const later = (): void => {
    const next = Math.min(items.length, end + MORE);
    setPart({ to: keyBefore(items, next), size: Math.min(MOST, next - start) });
  };
  return {
    drawn: items.slice(start, end),
    /** How many items are here but not drawn, before and behind those that are. */
    before: start,
    behind: items.length - end,
    earlier,
    later,
    newest: () => setPart(NEWEST),
    /** Draws what is around a message, if it is here. */
    around: (id: string) => {
      const index = indexOf(items, id);
      if (index >= 0) setPart(partAround(items, index));
    },
  };
}

/** Behind which item the part ends; one that is gone ends nothing. */
function endOf(items: readonly TimelineItem[], { to }: Part): number {
  const last = to === null ? -1 : items.findIndex(({ key }) => key === to);
  return last < 0 ? items.length : last + 1;
}

/** The key of the last item before `end`; null where the part goes on with what comes. */
function keyBefore(items: readonly TimelineItem[], end: number): string | null {
  return end >= items.length ? null : (items[end - 1]?.key ?? null);
}

/** The newest items, or those around where reading begins. */
function partToBegin(items: readonly TimelineItem[], { unread, question }: Opened): Part {
  const messages = items.filter((item) => item.kind === 'message').map(({ message }) => message);
  const begin = question ?? unreadIn(messages, unread)[0]?.id;
  const index = indexOf(items, begin);
  return index < 0 ? NEWEST : partAround(items, index);
}

function indexOf(items: readonly TimelineItem[], id: string | undefined): number {
  return items.findIndex((item) => item.kind === 'message' && item.message.id === id);
}

function partAround(items: readonly TimelineItem[], index: number): Part {
  const start = Math.max(0, Math.min(index - ABOVE, items.length - FIRST));
  const end = Math.min(items.length, start + MOST);
  return { to: keyBefore(items, end), size: Math.max(FIRST, end - start) };
}
