import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { diffQuery } from '@/api/git';
import { QueryView } from '@/components/ui/QueryView';

import { DiffView } from './DiffView';

/** What a branch adds to another. */
export function BranchChanges({ repoId, base, head }: { repoId: string; base: string; head: string }) {
  const diff = useQuery(diffQuery(useApi(), repoId, base, head));
  return (
    <QueryView query={diff} loading="Loading changes">
      {(found) => <DiffView diff={found} empty={`Nothing that ${base} does not have.`} />}
    </QueryView>
  );
}
