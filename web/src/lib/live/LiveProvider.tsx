import { useQuery, useQueryClient, type Query } from '@tanstack/react-query';
import { useEffect, useMemo, useState, type ReactNode } from 'react';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import { ApiError } from '@/api/problem';
import { fetchChannels, fetchMessages, fetchTasks, provision } from '@/api/queries';
import type { Actor } from '@/api/types';

import type { WireEvent } from './events';
import { LiveContext } from './LiveContext';
import { Sender } from './sender';
import { LiveStore } from './store';
import { EventStream, type ConnectionState } from './transport';
import { Unsent } from './unsent';

/** Queries that an event makes stale, by the first word of its type. */
const STALE_AFTER: Record<string, readonly string[]> = {
  memory: ['memory', 'repos'],
  quest: ['quests'],
  billing: ['billing'],
  workspace: ['workspaces'],
};

/** What could not be read while the server was away is read when it is back. */
function failedForNow({ state: { error } }: Query): boolean {
  return error instanceof ApiError && error.retryable;
}

interface Start {
  grow: Actor;
  store: LiveStore;
  /** Where the stream begins: what came before it is loaded already. */
  after: number;
  unsent: Unsent;
  sender: Sender;
}

/**
 * The position is taken before anything else is read, so events from there on are newer than
 * the lists, or the same again, which the reducer ignores.
 */
async function start(api: ApiClient): Promise<Start> {
  const grow = await provision(api);
  const history = await fetchMessages(api, grow.channel_id);
  const after = history.items.at(-1)?.seq ?? 0;
  const store = new LiveStore();
  const [channels, tasks] = await Promise.all([fetchChannels(api), fetchTasks(api)]);
  store.dispatch({
    type: 'history.loaded',
    channelId: grow.channel_id,
    messages: history.items,
  });
  store.dispatch({ type: 'channels.loaded', channels });
  store.dispatch({ type: 'tasks.loaded', tasks });
  const unsent = new Unsent();
  store.dispatch({ type: 'outbox.restored', outbox: unsent.outbox() });
  return { grow, store, after, unsent, sender: new Sender(api, store) };
}

interface Props {
  children: ReactNode;
  loading: ReactNode;
  failed: (error: Error, retry: () => void) => ReactNode;
}

/** Sets up the user's agent, then keeps the live state up to date while mounted. */
export function LiveProvider({ children, loading, failed }: Props) {
  const api = useApi();
  const client = useQueryClient();
  const [connection, setConnection] = useState<ConnectionState>({ kind: 'connecting' });
  const { data, error, refetch } = useQuery({
    queryKey: ['live'],
    queryFn: () => start(api),
    staleTime: Infinity,
    gcTime: 0,
  });

  useEffect(() => {
    if (data === undefined) return;
    const { grow, store, after, unsent, sender } = data;
    let { outbox } = store.get();
    const forget = store.subscribe(() => {
      if (store.get().outbox === outbox) return;
      ({ outbox } = store.get());
      unsent.keep(outbox);
    });
    const onEvent = (event: WireEvent): void => {
      store.dispatch({ type: 'event', event });
      for (const key of STALE_AFTER[event.type.split('.')[0] ?? ''] ?? []) {
        void client.invalidateQueries({ queryKey: [key] });
      }
      if (event.type === 'agent.spawned') {
        fetchChannels(api).then(
          (channels) => store.dispatch({ type: 'channels.loaded', channels }),
          () => undefined, // the list comes again with the next agent or the next visit
        );
      }
    };
    const stream = new EventStream({
      path: `/actors/${grow.id}/events`,
      after,
      open: (path, init) => api.fetch(path, init),
      onEvent,
      onState: (state) => {
        setConnection(state);
        if (state.kind === 'reconnecting') store.dispatch({ type: 'stream.broken' });
        if (state.kind === 'live') {
          void sender.resume();
          void client.refetchQueries({ type: 'active', predicate: failedForNow });
        }
      },
    });
    return () => {
      stream.close();
      forget();
      unsent.clear(); // the login has ended: a reload does not come by here
    };
  }, [api, client, data]);

  const live = useMemo(() => data && { ...data, connection }, [connection, data]);
  if (live === undefined) {
    return error === null ? loading : failed(error, () => void refetch());
  }
  return <LiveContext value={live}>{children}</LiveContext>;
}
