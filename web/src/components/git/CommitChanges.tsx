import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { changesQuery } from '@/api/git';
import { QueryView } from '@/components/ui/QueryView';

import { DiffView } from './DiffView';

/** What one commit changed. */
export function CommitChanges({ repoId, sha }: { repoId: string; sha: string }) {
  const changes = useQuery(changesQuery(useApi(), repoId, sha));
  return (
    <QueryView query={changes} loading="Loading changes">
      {(diff) =>
        diff === null ? (
          <p className="text-sm text-ink-soft">
            This is the first commit: there is nothing before it.
          </p>
        ) : (
          <DiffView diff={diff} empty="No file changed." />
        )
      }
    </QueryView>
  );
}
