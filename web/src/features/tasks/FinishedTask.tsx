import { Link } from '@tanstack/react-router';
import { GitCommitHorizontal } from 'lucide-react';

import type { Task } from '@/api/types';
import { Badge } from '@/components/ui/Badge';
import { Time } from '@/components/ui/Time';
import { paths } from '@/config/paths';

import { TaskStatusBadge } from './TaskStatusBadge';

/** A finished task and what it left behind. */
export function FinishedTask({ task }: { task: Task }) {
  const failed = task.result?.receipt?.failed_commands.length ?? 0;
  const commit = task.result?.commit ?? null;
  return (
    <article aria-label={task.title} className="rounded-xl px-2 py-2 transition-colors hover:bg-hover">
      <Link
        to={paths.task}
        params={{ id: task.id }}
        className="line-clamp-2 text-sm leading-snug hover:underline"
      >
        {task.title}
      </Link>
      <p className="mt-1 flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-ink-faint">
        <TaskStatusBadge status={task.status} />
        {failed > 0 && (
          <Badge tone="warning">
            {failed === 1 ? 'a command' : `${failed} commands`} without exit code 0
          </Badge>
        )}
        {commit !== null && (
          <span className="inline-flex items-center gap-1 font-mono" title={commit}>
            <GitCommitHorizontal aria-hidden size={13} />
            {commit.slice(0, 7)}
          </span>
        )}
        <Time at={task.updated_at} />
      </p>
      {task.status === 'failed' && task.reason != null && (
        <p className="mt-1 text-[13px] text-danger">{task.reason}</p>
      )}
    </article>
  );
}
