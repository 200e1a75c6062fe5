import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { PullRequestState } from '@/api/types';
import { BranchChanges } from '@/components/git/BranchChanges';
import { CommitChanges } from '@/components/git/CommitChanges';
import { BackLink } from '@/components/ui/BackLink';
import { Markdown } from '@/components/ui/Markdown';
import { PageHeader } from '@/components/ui/PageHeader';
import { QueryView } from '@/components/ui/QueryView';
import { Section } from '@/components/ui/Section';
import { paths } from '@/config/paths';

import { pullRequestQuery } from './api';
import { CommitStatusBadge } from './CommitStatusBadge';
import { PullRequestBadge } from './PullRequestBadge';
import { SettleBox } from './SettleBox';

/** A proposal: what it says, what it changes, what stands in its way, and its end. */
export function PullRequestPage({ repoId, number }: { repoId: string; number: number }) {
  const query = useQuery(pullRequestQuery(useApi(), repoId, number));
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader
        title={query.data?.title ?? `Pull request ${number}`}
        subtitle={query.data && `#${number}, ${query.data.branch} into ${query.data.base}`}
      >
        {query.data && <CommitStatusBadge said={query.data.branch_status} />}
        {query.data && <PullRequestBadge status={query.data.status} />}
        <BackLink to={paths.repo} params={{ repoId }}>
          Repository
        </BackLink>
      </PageHeader>
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-3xl space-y-7 px-4 py-6 md:px-6">
          <QueryView query={query} loading="Loading pull request">
            {(found) => <Proposal repoId={repoId} pullRequest={found} />}
          </QueryView>
        </div>
      </div>
    </div>
  );
}

function Proposal({ repoId, pullRequest }: { repoId: string; pullRequest: PullRequestState }) {
  const { body, base, branch, status, merge_commit: merged } = pullRequest;
  return (
    <>
      {body !== '' && <Markdown text={body} />}
      {status === 'open' && <SettleBox repoId={repoId} pullRequest={pullRequest} />}
      <Section title="Changes">
        {merged === null ? (
          <BranchChanges repoId={repoId} base={base} head={branch} />
        ) : (
          <CommitChanges repoId={repoId} sha={merged} />
        )}
      </Section>
    </>
  );
}
