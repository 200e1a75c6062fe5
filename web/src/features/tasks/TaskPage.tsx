import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { useApi } from '@/api/ApiContext';
import type { Task } from '@/api/types';
import { CommitChanges } from '@/components/git/CommitChanges';
import { ErrorState } from '@/components/ui/ErrorState';
import { Markdown } from '@/components/ui/Markdown';
import { PageHeader } from '@/components/ui/PageHeader';
import { Section } from '@/components/ui/Section';
import { Skeleton } from '@/components/ui/Skeleton';
import { Time } from '@/components/ui/Time';
import { paths } from '@/config/paths';
import { useLiveState } from '@/lib/live/LiveContext';
import { isFinal } from '@/lib/live/selectors';

import { taskQuery } from './api';
import { ReceiptView } from './ReceiptView';
import { RunningTask } from './RunningTask';
import { TaskStatusBadge } from './TaskStatusBadge';

/** One task: what was asked, what came of it, and what is only said of it. */
export function TaskPage({ id }: { id: string }) {
  const live = useLiveState((state) => state.tasks[id]);
  const stored = useQuery({ ...taskQuery(useApi(), id), enabled: live === undefined });
  const task = live ?? stored.data;
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader title={task?.title ?? 'Task'} subtitle={task && <Facts task={task} />} />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-3xl space-y-7 px-4 py-6 md:px-6">
          {task === undefined && stored.error === null && (
            <Skeleton lines={6} label="Loading task" />
          )}
          {stored.error !== null && (
            <ErrorState error={stored.error} retry={() => void stored.refetch()} />
          )}
          {task !== undefined && <TaskView task={task} />}
        </div>
      </div>
    </div>
  );
}

function Facts({ task }: { task: Task }) {
  return (
    <span className="inline-flex flex-wrap items-center gap-x-2">
      <TaskStatusBadge status={task.status} />
      <Link to={paths.channel} params={{ name: task.agent }} className="hover:underline">
        #{task.agent}
      </Link>
      <Time at={task.updated_at} />
    </span>
  );
}

function TaskView({ task }: { task: Task }) {
  const { result } = task;
  return (
    <>
      {!isFinal(task) && <RunningTask task={task} />}
      {isFinal(task) && task.reason != null && <p className="text-danger">{task.reason}</p>}
      <Section title="What was asked">
        <Markdown text={task.prompt} />
      </Section>
      {result != null && <ReceiptView result={result} />}
      {result?.repo_id != null && result.commit != null && (
        <Section title="Changes">
          <CommitChanges repoId={result.repo_id} sha={result.commit} />
        </Section>
      )}
    </>
  );
}
