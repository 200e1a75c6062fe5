import { createLazyRoute } from '@tanstack/react-router';

import { CodePage } from '@/features/code/CodePage';
import { PullRequestPage } from '@/features/code/PullRequestPage';
import { RepoPage } from '@/features/code/RepoPage';

export const CodeRoute = createLazyRoute('/members/app/code')({ component: CodePage });

export const RepoRoute = createLazyRoute('/members/app/code/$repoId')({ component: Repo });

function Repo() {
  const { repoId } = RepoRoute.useParams();
  return <RepoPage key={repoId} repoId={repoId} />;
}

export const PullRequestRoute = createLazyRoute('/members/app/code/$repoId/pull-requests/$number')({
  component: PullRequest,
});

function PullRequest() {
  const { repoId, number } = PullRequestRoute.useParams();
  return <PullRequestPage repoId={repoId} number={Number(number)} />;
}
