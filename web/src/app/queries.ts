import { QueryClient } from '@tanstack/react-query';

import { ApiError } from '@/api/problem';

/** The query cache: tries again only what may work the next time. */
export function makeQueryClient(retries = 2): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        refetchOnWindowFocus: false, // the event stream says what is stale
        retry: (count, error) => count < retries && error instanceof ApiError && error.retryable,
      },
    },
  });
}
