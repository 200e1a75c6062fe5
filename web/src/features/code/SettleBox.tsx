import { GitMerge, X } from 'lucide-react';

import type { PullRequestState } from '@/api/types';
import { Button } from '@/components/ui/Button';
import { Failure } from '@/components/ui/Failure';
import { Notice } from '@/components/ui/Notice';

import { useSettle } from './api';

/** Merging or closing an open pull request, with what keeps it from being merged. */
export function SettleBox({
  repoId,
  pullRequest: { number, base, conflicts },
}: {
  repoId: string;
  pullRequest: PullRequestState;
}) {
  const { mutate, isPending, variables, error } = useSettle(repoId, number);
  return (
    <div className="space-y-3">
      {conflicts.length > 0 && (
        <Notice tone="warning">
          <p>
            It can’t be merged now: <span className="font-mono">{base}</span> has changed the same
            as this branch.
          </p>
          <ul aria-label="Conflicts" className="mt-1 list-disc pl-5 font-mono text-[13px]">
            {conflicts.map((path) => (
              <li key={path}>{path}</li>
            ))}
          </ul>
        </Notice>
      )}
      <div className="flex flex-wrap gap-2">
        <Button
          variant="primary"
          disabled={conflicts.length > 0 || isPending}
          busy={isPending && variables === 'merge'}
          onClick={() => mutate('merge')}
        >
          <GitMerge aria-hidden size={16} /> Merge
        </Button>
        <Button
          disabled={isPending}
          busy={isPending && variables === 'close'}
          onClick={() => mutate('close')}
        >
          <X aria-hidden size={16} /> Close without merging
        </Button>
      </div>
      {error !== null && <Failure error={error} />}
    </div>
  );
}
