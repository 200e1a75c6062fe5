import type { UseInfiniteQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { describe } from '@/api/problem';

import { Button } from './Button';
import { QueryView } from './QueryView';

interface Props<T> {
  query: UseInfiniteQueryResult<T[]>;
  /** Read aloud while it loads. */
  loading: string;
  children: (items: readonly T[]) => ReactNode;
}

/** What a list in pages has brought so far, with the way to more of it. */
export function PagesView<T>({ query, loading, children }: Props<T>) {
  return (
    <QueryView query={query} loading={loading}>
      {(items) => (
        <>
          {children(items)}
          {query.hasNextPage && (
            <Button
              size="small"
              className="mt-3"
              busy={query.isFetchingNextPage}
              onClick={() => void query.fetchNextPage()}
            >
              Show more
            </Button>
          )}
          {query.isFetchNextPageError && (
            <p role="alert" className="mt-2 text-sm text-danger">
              {describe(query.error)}
            </p>
          )}
        </>
      )}
    </QueryView>
  );
}
