import { createContext } from 'react';

/** How far somebody is who is logged in at Clerk, but not here yet. */
export interface Entry {
  /** Why our server did not let them in; null while it is asked. */
  failure: Error | null;
  retry: () => void;
}

export const EntryContext = createContext<Entry>({ failure: null, retry: () => undefined });
