import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { FolderGit2 } from 'lucide-react';

import { useApi } from '@/api/ApiContext';
import type { Repo } from '@/api/types';
import { Badge } from '@/components/ui/Badge';
import { PageHeader } from '@/components/ui/PageHeader';
import { PagesView } from '@/components/ui/PagesView';
import { paths } from '@/config/paths';

import { reposQuery } from './api';

/** The user's repositories: the life repository and the projects. */
export function CodePage() {
  const repos = useInfiniteQuery(reposQuery(useApi()));
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader title="Code" subtitle="Your repositories, their branches and pull requests" />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-3xl px-4 py-6 md:px-6">
          <PagesView query={repos} loading="Loading repositories">
            {(found) => (
              <>
                <ul className="space-y-3">
                  {found.map((repo) => (
                    <li key={repo.id}>
                      <RepoCard repo={repo} />
                    </li>
                  ))}
                </ul>
                {found.every(({ kind }) => kind === 'primary') && (
                  <p className="mt-4 text-sm text-ink-soft">
                    Ask your agent to create a project, and it gets a repository of its own here.
                  </p>
                )}
              </>
            )}
          </PagesView>
        </div>
      </div>
    </div>
  );
}

function RepoCard({ repo }: { repo: Repo }) {
  return (
    <Link
      to={paths.repo}
      params={{ repoId: repo.id }}
      className="flex items-start gap-3.5 rounded-2xl border border-line bg-surface p-4 transition-colors hover:border-line-strong hover:bg-hover"
    >
      <FolderGit2 aria-hidden size={20} strokeWidth={1.8} className="mt-0.5 shrink-0 text-accent-strong" />
      <span className="min-w-0 flex-1">
        <span className="flex flex-wrap items-center gap-2">
          <span className="font-medium">{repo.name}</span>
          <Badge tone={repo.kind === 'primary' ? 'accent' : 'neutral'}>
            {repo.kind === 'primary' ? 'your agent’s memory' : 'project'}
          </Badge>
        </span>
        {repo.description !== '' && (
          <span className="block text-sm text-ink-soft">{repo.description}</span>
        )}
      </span>
    </Link>
  );
}
