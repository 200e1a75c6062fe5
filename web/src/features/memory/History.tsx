import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { useApi } from '@/api/ApiContext';
import type { Commit } from '@/api/types';
import { PagesView } from '@/components/ui/PagesView';
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
  const history = useInfiniteQuery(historyQuery(api, path));
  const { grow } = useLive();
  const [reverting, setReverting] = useState<Commit | null>(null);
  return (
    <section aria-label="History">
      <h2 className="mb-2 text-[15px] font-semibold">
        {path === undefined ? 'All changes' : 'Changes to this file'}
      </h2>
      <PagesView query={history} loading="Loading history">
        {(commits) =>
          commits.length === 0 ? (
            <p className="text-sm text-ink-soft">No change yet.</p>
          ) : (
            <ol className="divide-y divide-line">
              {commits.map((commit) => (
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
          )
        }
      </PagesView>
      {reverting !== null && (
        <RevertDialog commit={reverting} onClose={() => setReverting(null)} />
      )}
    </section>
  );
}
