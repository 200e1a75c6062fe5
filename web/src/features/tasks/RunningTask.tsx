import { Link } from '@tanstack/react-router';
import { Pause, Play, X } from 'lucide-react';

import { describe, needsPlan } from '@/api/problem';
import type { Task } from '@/api/types';
import { IconButton } from '@/components/ui/IconButton';
import { Markdown } from '@/components/ui/Markdown';
import { PlanLink } from '@/components/ui/PlanLink';
import { Progress } from '@/components/ui/Progress';
import { paths } from '@/config/paths';
import { questionIn } from '@/lib/live/questions';
import { showQuestion } from '@/lib/showQuestion';

import { useTaskCommand } from './api';
import { TaskStatusBadge } from './TaskStatusBadge';

/** A task that is not finished, with what a person may do about it. */
export function RunningTask({ task }: { task: Task }) {
  const { mutate, isPending, error } = useTaskCommand(task.id);
  const paused = task.status === 'paused';
  const asked = questionIn(task)?.id;
  return (
    <article
      aria-label={task.title}
      className="animate-rise rounded-2xl border border-line bg-surface p-3.5"
    >
      <div className="mb-1.5 flex items-center gap-2">
        <TaskStatusBadge status={task.status} />
        <Link
          to={paths.channel}
          params={{ name: task.agent }}
          className="truncate text-xs text-ink-faint hover:underline"
        >
          #{task.agent}
        </Link>
      </div>
      <Link
        to={paths.task}
        params={{ id: task.id }}
        className="line-clamp-2 text-sm leading-snug font-medium hover:underline"
      >
        {task.title}
      </Link>
      {task.reason != null && (
        <div className="mt-1 max-h-40 overflow-hidden text-[13px] text-ink-soft">
          <Markdown text={task.reason} />
        </div>
      )}
      {task.status === 'waiting' && (
        <Link
          to={paths.channel}
          params={{ name: task.agent }}
          onClick={() => {
            if (asked !== undefined) showQuestion(asked);
          }}
          className="mt-1 inline-block text-[13px] font-medium text-accent-strong underline underline-offset-2"
        >
          Answer in #{task.agent}
        </Link>
      )}
      <div className="mt-2.5 flex items-center gap-1">
        <div className="min-w-0 flex-1">
          <Progress value={task.progress} label={`Progress of ${task.title}`} />
        </div>
        <IconButton
          icon={paused ? Play : Pause}
          label={`${paused ? 'Resume' : 'Pause'} ${task.title}`}
          disabled={isPending}
          onClick={() => mutate(paused ? 'resume' : 'pause')}
        />
        <IconButton
          icon={X}
          label={`Cancel ${task.title}`}
          disabled={isPending}
          onClick={() => mutate('cancel')}
        />
      </div>
      {error !== null && (
        <p role="alert" className="mt-1 text-[13px] text-danger">
          {describe(error)} {needsPlan(error) && <PlanLink />}
        </p>
      )}
    </article>
  );
}
