import { QueryClientProvider, type QueryClient } from '@tanstack/react-query';
import { CatchBoundary, RouterProvider } from '@tanstack/react-router';
import { useEffect } from 'react';

import { ApiContext } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';

import { Identity } from './Identity';
import { PageFailed } from './PageFailed';
import type { makeRouter } from './router';

interface Props {
  api: ApiClient;
  queries: QueryClient;
  router: ReturnType<typeof makeRouter>;
}

export function App({ api, queries, router }: Props) {
  // Logging in, out, or in as someone else is a change of page and of everything cached.
  useEffect(() => {
    let userId = api.session.get()?.user.id;
    return api.session.subscribe(() => {
      const next = api.session.get()?.user.id;
      if (next === userId) return;
      userId = next;
      queries.clear();
      void router.invalidate();
    });
  }, [api, queries, router]);

  return (
    <ApiContext value={api}>
      <QueryClientProvider client={queries}>
        <CatchBoundary getResetKey={() => router} errorComponent={PageFailed}>
          <Identity
            navigate={(to, replace) =>
              replace ? router.history.replace(to) : router.history.push(to)
            }
          >
            <RouterProvider router={router} />
          </Identity>
        </CatchBoundary>
      </QueryClientProvider>
    </ApiContext>
  );
}
