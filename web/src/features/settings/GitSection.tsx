import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { repoQuery } from '@/api/git';
import { describe } from '@/api/problem';
import { Button } from '@/components/ui/Button';
import { CodeBlock } from '@/components/ui/CodeBlock';
import { Notice } from '@/components/ui/Notice';
import { Skeleton } from '@/components/ui/Skeleton';

import { useCreateToken } from './api';
import { Card } from './Card';
import { TokenView } from './TokenView';

/** How to take everything along: the repository's address and tokens for it. */
export function GitSection({ repoId }: { repoId: string }) {
  const api = useApi();
  const repo = useQuery(repoQuery(api, repoId));
  const create = useCreateToken(repoId);
  const error = repo.error ?? create.error;
  return (
    <Card title="Your repository">
      <div className="space-y-3">
        <p className="text-ink-soft">
          Everything your agents remember and make is in one Git repository that is yours to clone.
        </p>
        {error !== null && <Notice tone="danger">{describe(error)}</Notice>}
        {repo.isPending && <Skeleton lines={2} label="Loading repository" />}
        {repo.data !== undefined && (
          <>
            <CodeBlock language="shell" text={`git clone ${repo.data.clone_url}`} />
            <div className="flex flex-wrap items-center gap-2">
              <Button
                busy={create.isPending && create.variables === 'read'}
                onClick={() => create.mutate('read')}
              >
                Create read token
              </Button>
              <Button
                variant="ghost"
                busy={create.isPending && create.variables === 'write'}
                onClick={() => create.mutate('write')}
              >
                Create token that may push
              </Button>
            </div>
          </>
        )}
        {create.data !== undefined && <TokenView token={create.data} />}
      </div>
    </Card>
  );
}
