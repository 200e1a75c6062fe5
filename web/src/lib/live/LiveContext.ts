import { createContext, useContext, useSyncExternalStore } from 'react';

import type { Actor } from '@/api/types';

import type { Sender } from './sender';
import type { LiveState } from './state';
import type { LiveStore } from './store';
import type { ConnectionState } from './transport';
import type { Unsent } from './unsent';

export interface Live {
  grow: Actor;
  store: LiveStore;
  sender: Sender;
  connection: ConnectionState;
  unsent: Unsent;
}

export const LiveContext = createContext<Live | null>(null);

/** The live session that `LiveProvider` runs. */
export function useLive(): Live {
  const live = useContext(LiveContext);
  if (live === null) throw new Error('useLive needs a LiveProvider above it');
  return live;
}

/** A part of the live state; `select` must answer with the same object until it changes. */
export function useLiveState<T>(select: (state: LiveState) => T): T {
  const { store } = useLive();
  return useSyncExternalStore(store.subscribe, () => select(store.get()));
}
