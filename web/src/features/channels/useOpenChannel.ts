import { useEffect } from 'react';

import { useApi } from '@/api/ApiContext';
import { useLive, useLiveState } from '@/lib/live/LiveContext';

/** Marks the channel as the one on screen: what arrives in it counts as read. */
export function useOpenChannel(channelId: string): void {
  const api = useApi();
  const { store } = useLive();
  const newest = useLiveState((state) => state.timelines[channelId]?.at(-1));

  useEffect(() => {
    store.dispatch({ type: 'channel.opened', channelId });
    return () => store.dispatch({ type: 'channel.opened', channelId: null });
  }, [channelId, store]);

  useEffect(() => {
    if (newest === undefined) return;
    // Only a convenience for other devices: the next message tries again.
    api.post(`/channels/${channelId}/read`).catch(() => undefined);
  }, [api, channelId, newest]);
}
