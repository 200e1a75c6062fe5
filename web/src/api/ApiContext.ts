import { createContext, useContext, useSyncExternalStore } from 'react';

import type { ApiClient } from './client';
import type { Session } from './session';

export const ApiContext = createContext<ApiClient | null>(null);

export function useApi(): ApiClient {
  const api = useContext(ApiContext);
  if (api === null) throw new Error('useApi needs an ApiContext above it');
  return api;
}

/** Who is logged in; null when nobody is. */
export function useSession(): Session | null {
  const { session } = useApi();
  return useSyncExternalStore(session.subscribe, session.get);
}
