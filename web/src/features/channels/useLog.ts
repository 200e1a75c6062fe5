import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import type { Channel } from '@/api/types';
import { channelSeq, type WireEvent } from '@/lib/live/events';
import { useLive, useLiveState } from '@/lib/live/LiveContext';
import type { LogLine } from '@/lib/live/state';
import { logLineOf } from '@/lib/live/tasks';

const PAGE = 200;
/** At most so many pages of the agent's past are read; the rest is old. */
const MAX_PAGES = 10;

async function fetchLog(api: ApiClient, actorId: string, after: number): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  let cursor = after;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const query = { after: cursor, limit: PAGE };
    const { items: events } = await api.get<{ items: WireEvent[] }>(
      `/actors/${actorId}/events`,
      query,
    );
    for (const event of events) {
      const line = logLineOf(event);
      if (line !== null) lines.push(line);
    }
    const last = events.at(-1);
    if (last === undefined || events.length < PAGE) break;
    cursor = channelSeq(last);
  }
  return lines;
}

/** An agent's log lines: since its oldest loaded message, and on from there live. */
export function useLog(channel: Channel, enabled: boolean) {
  const api = useApi();
  const { store } = useLive();
  const query = useQuery({
    queryKey: ['log', channel.id],
    queryFn: () => {
      const { timelines, messages } = store.get();
      const oldest = timelines[channel.id]?.[0];
      const after = oldest === undefined ? 0 : (messages[oldest]?.seq ?? 1) - 1;
      return fetchLog(api, channel.actor_id, after);
    },
    enabled,
    staleTime: Infinity,
  });

  useEffect(() => {
    if (query.data === undefined) return;
    store.dispatch({ type: 'log.loaded', channelId: channel.id, lines: query.data });
  }, [channel.id, query.data, store]);

  const lines = useLiveState((state) => state.logs[channel.id]);
  return { ...query, lines };
}
