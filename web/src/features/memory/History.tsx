import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { useApi } from '@/api/ApiContext';
import type { Commit } from '@/api/types';
import { ErrorState } from '@/components/ui/ErrorState';
import { Skeleton } from '@/components/ui/Skeleton';
import { useLive } from '@/lib/live/LiveContext';

import { historyQuery } from './api';
import { CommitRow } from './CommitRow';
import { RevertDialog } from './RevertDialog';

interface Props {
  path: string | undefined;
  onOpen: (path: string) => void;
}

/** Every change, newest first, each with a way back. */
export function History({ path, onOpen }: Props) {
  const api = useApi();
  const history = useQuery(historyQuery(api, path));
  const { grow } = useLive();
  const [reverting, setReverting] = useState<Commit | null>(null);
  return (
    <section aria-label="History">
      <h2 className="mb-2 text-[15px] font-semibold">
        {path === undefined ? 'All changes' : 'Changes to this file'}
      </h2>
      {history.isPending && <Skeleton lines={5} label="Loading history" />}
      {history.error !== null && (
        <ErrorState error={history.error} retry={() => void history.refetch()} />
      )}
      {history.data?.length === 0 && <p className="text-sm text-ink-soft">No change yet.</p>}
      <ol className="divide-y divide-line">
        {history.data?.map((commit) => (
          <li key={commit.sha}>
            <CommitRow
              commit={commit}
              repoId={grow.repo_id}
              onOpen={onOpen}
              onRevert={() => setReverting(commit)}
            />
          </li>
        ))}
      </ol>
      {reverting !== null && (
        <RevertDialog commit={reverting} onClose={() => setReverting(null)} />
      )}
    </section>
  );
}
