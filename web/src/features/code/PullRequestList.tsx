import { Link } from '@tanstack/react-router';

import type { PullRequest } from '@/api/types';
import { Time } from '@/components/ui/Time';
import { paths } from '@/config/paths';

import { PullRequestBadge } from './PullRequestBadge';

export function PullRequestList({
  repoId,
  items,
}: {
  repoId: string;
  items: readonly PullRequest[];
}) {
  if (items.length === 0) {
    return <p className="text-sm text-ink-soft">None yet. Ask your repo agent to propose a branch.</p>;
  }
  return (
    <ul className="divide-y divide-line">
      {items.map((item) => (
        <li key={item.id} className="py-2.5">
          <Link
            to={paths.pullRequest}
            params={{ repoId, number: String(item.number) }}
            className="text-sm font-medium hover:underline"
          >
            {item.title}
          </Link>
          <p className="mt-0.5 flex flex-wrap items-center gap-x-2.5 text-xs text-ink-faint">
            <PullRequestBadge status={item.status} />
            <span>#{item.number}</span>
            <span className="font-mono">
              {item.branch} → {item.base}
            </span>
            <Time at={item.created_at} />
          </p>
        </li>
      ))}
    </ul>
  );
}
