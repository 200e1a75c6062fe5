import type { Channel } from '@/api/types';
import { useLiveState } from '@/lib/live/LiveContext';
import { openQuestions } from '@/lib/live/questions';

import { isStopped } from './names';

/** The id of the oldest question that waits in a channel and can be answered now. */
export function useAsked(channel: Channel): string | undefined {
  const asked = useLiveState((state) => openQuestions(state, channel.actor_id)[0]);
  return isStopped(channel) ? undefined : asked;
}
