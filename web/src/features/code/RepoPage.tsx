import { useInfiniteQuery, useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { repoQuery } from '@/api/git';
import { BackLink } from '@/components/ui/BackLink';
import { CodeBlock } from '@/components/ui/CodeBlock';
import { PageHeader } from '@/components/ui/PageHeader';
import { PagesView } from '@/components/ui/PagesView';
import { QueryView } from '@/components/ui/QueryView';
import { Section } from '@/components/ui/Section';
import { paths } from '@/config/paths';

import { branchesQuery, commitsQuery, pullRequestsQuery } from './api';
import { BranchList } from './BranchList';
import { CommitList } from './CommitList';
import { PullRequestList } from './PullRequestList';

/** One repository: what is proposed, its branches, and its newest commits. */
export function RepoPage({ repoId }: { repoId: string }) {
  const api = useApi();
  const repo = useQuery(repoQuery(api, repoId));
  const pullRequests = useInfiniteQuery(pullRequestsQuery(api, repoId));
  const branches = useInfiniteQuery(branchesQuery(api, repoId));
  const commits = useInfiniteQuery(commitsQuery(api, repoId));
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader title={repo.data?.name ?? 'Repository'} subtitle={repo.data?.description}>
        <BackLink to={paths.code}>All repositories</BackLink>
      </PageHeader>
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-3xl space-y-8 px-4 py-6 md:px-6">
          <QueryView query={repo} loading="Loading repository">
            {({ clone_url: url }) => <CodeBlock language="shell" text={`git clone ${url}`} />}
          </QueryView>
          <Section title="Pull requests">
            <PagesView query={pullRequests} loading="Loading pull requests">
              {(items) => <PullRequestList repoId={repoId} items={items} />}
            </PagesView>
          </Section>
          <Section title="Branches">
            <PagesView query={branches} loading="Loading branches">
              {(items) => (
                <BranchList
                  repoId={repoId}
                  items={items}
                  base={repo.data?.default_branch ?? 'main'}
                />
              )}
            </PagesView>
          </Section>
          <Section title="Commits">
            <PagesView query={commits} loading="Loading commits">
              {(items) => <CommitList repoId={repoId} items={items} />}
            </PagesView>
          </Section>
        </div>
      </div>
    </div>
  );
}
