import { useInfiniteQuery } from '@tanstack/react-query';
import { useEffect } from 'react';

import { useApi } from '@/api/ApiContext';
import { fetchMessages } from '@/api/queries';
import { useLive } from '@/lib/live/LiveContext';

/** Loads a channel's stored messages into the live state, newest page first. */
export function useHistory(channelId: string) {
  const api = useApi();
  const { store } = useLive();
  const query = useInfiniteQuery({
    queryKey: ['history', channelId],
    queryFn: ({ pageParam }) => fetchMessages(api, channelId, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    staleTime: Infinity,
  });

  useEffect(() => {
    for (const page of query.data?.pages ?? []) {
      store.dispatch({ type: 'history.loaded', channelId, messages: page.items });
    }
  }, [channelId, query.data, store]);

  return query;
}
