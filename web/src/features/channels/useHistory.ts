import { useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useLayoutEffect, useState } from 'react';

import { useApi } from '@/api/ApiContext';
import { fetchMessages } from '@/api/queries';
import { useLive, useLiveState } from '@/lib/live/LiveContext';
import type { LiveState } from '@/lib/live/state';

/** So many pages are read on their own to reach what waits for the reader; the rest by hand. */
const MAX_PAGES = 10;

/** How far a channel's stored messages are loaded, and the way to more. */
export interface History {
  /** What the reader comes for is loaded, and there is something to show; it stays so. */
  ready: boolean;
  /** Why the first or an earlier page could not be loaded. */
  error: Error | null;
  hasEarlier: boolean;
  loadsEarlier: boolean;
  loadEarlier: () => void;
  retry: () => void;
}

/**
 * Loads a channel's stored messages into the live state, newest page first, and on from there
 * until `reaches` says that what the reader comes for is among them.
 */
export function useHistory(channelId: string, reaches: (state: LiveState) => boolean): History {
  const api = useApi();
  const { store } = useLive();
  const { data, error, hasNextPage, isFetchingNextPage, isFetchNextPageError, refetch, fetchNextPage } =
    useInfiniteQuery({
      queryKey: ['history', channelId],
      queryFn: ({ pageParam }) => fetchMessages(api, channelId, pageParam),
      initialPageParam: null as string | null,
      getNextPageParam: (page) => page.next_cursor,
      staleTime: Infinity,
    });

  // Before the screen is painted: a list without its messages would flash.
  useLayoutEffect(() => {
    const messages = data?.pages.flatMap(({ items }) => items) ?? [];
    store.dispatch({ type: 'history.loaded', channelId, messages });
  }, [channelId, data, store]);

  const isHeld = useLiveState(({ messages }) =>
    (data?.pages ?? []).every(({ items: [first] }) => first === undefined || messages[first.id] !== undefined),
  );
  const reached = useLiveState(reaches);
  const [ready, setReady] = useState(false);
  const goesOn =
    !ready && isHeld && !reached && hasNextPage && !isFetchNextPageError && (data?.pages.length ?? 0) < MAX_PAGES;
  useEffect(() => {
    if (goesOn && !isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, goesOn, isFetchingNextPage]);

  // Else each earlier page would take the messages off the screen until the store holds it.
  if (!ready && data !== undefined && isHeld && !goesOn) setReady(true);

  return {
    ready,
    error,
    hasEarlier: hasNextPage,
    loadsEarlier: isFetchingNextPage,
    loadEarlier: () => void fetchNextPage(),
    retry: () => void refetch(),
  };
}
