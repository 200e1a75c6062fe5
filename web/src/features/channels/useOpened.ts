import { useState } from 'react';

import type { Channel } from '@/api/types';
import { useLive } from '@/lib/live/LiveContext';
import { openQuestions } from '@/lib/live/questions';
import type { LiveState } from '@/lib/live/state';

import { unreadIn, type Unread } from './rows';

/** What waited for the reader when a channel was opened; opening it marks it as read. */
export interface Opened {
  unread: Unread;
  /** Id of the oldest open question. */
  question: string | undefined;
}

export function useOpened(channel: Channel): Opened {
  const { store } = useLive();
  const [opened] = useState(() => ({
    unread: channel,
    question: openQuestions(store.get(), channel.actor_id)[0],
  }));
  return opened;
}

/** Whether everything that waited for the reader is loaded. */
export function isLoaded(state: LiveState, channelId: string, { unread, question }: Opened): boolean {
  if (question !== undefined && state.messages[question] === undefined) return false;
  const timeline = state.timelines[channelId] ?? [];
  const messages = timeline.map((id) => state.messages[id]).filter((one) => one !== undefined);
  return unreadIn(messages, unread).length >= unread.unread;
}
