import { infiniteQueryOptions, type QueryKey } from '@tanstack/react-query';

import type { ApiClient } from './client';
import type { Page } from './types';

type Query = Record<string, string | number | null | undefined>;

/** The items of a list that comes in pages; more of them on demand. */
export function pagesQuery<T>(api: ApiClient, queryKey: QueryKey, path: string, query: Query) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ signal, pageParam }) =>
      api.get<Page<T>>(path, { ...query, cursor: pageParam }, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    select: ({ pages }) => pages.flatMap(({ items }) => items),
  });
}
