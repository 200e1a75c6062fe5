import type { ReactNode } from 'react';

import { ErrorState } from './ErrorState';
import { Skeleton } from './Skeleton';

interface Props<T> {
  query: { data: T | undefined; error: Error | null; refetch: () => Promise<unknown> };
  /** Read aloud while it loads. */
  loading: string;
  children: (data: T) => ReactNode;
}

/** What a query brings: its data, or that it is on its way, or why it failed and a way to try again. */
export function QueryView<T>({ query, loading, children }: Props<T>) {
  if (query.data !== undefined) return children(query.data);
  if (query.error !== null) {
    return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  }
  return <Skeleton lines={4} label={loading} />;
}
