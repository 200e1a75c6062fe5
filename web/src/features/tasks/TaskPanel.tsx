import { ListChecks } from 'lucide-react';
import { useMemo } from 'react';

import { useLiveState } from '@/lib/live/LiveContext';
import { taskLists } from '@/lib/live/selectors';

import { FinishedTask } from './FinishedTask';
import { RunningTask } from './RunningTask';

/** What the agents are doing, and what they did last. */
export function TaskPanel() {
  const tasks = useLiveState((live) => live.tasks);
  const { active, finished } = useMemo(() => taskLists(tasks), [tasks]);
  return (
    <section aria-label="Tasks" className="flex h-full flex-col overflow-y-auto px-4 py-5">
      <h2 className="text-[15px] font-semibold">Tasks</h2>
      {active.length === 0 && finished.length === 0 ? (
        <div className="mt-4 rounded-2xl border border-dashed border-line px-4 py-8 text-center">
          <ListChecks aria-hidden size={20} className="mx-auto mb-2.5 text-ink-faint" />
          <p className="text-sm text-ink-soft">
            Nothing yet. Ask your agent to build something, and watch it here.
          </p>
        </div>
      ) : (
        <>
          <h3 className="mt-4 mb-2 text-xs font-medium text-ink-faint">
            In progress{active.length > 0 && ` · ${active.length}`}
          </h3>
          {active.length === 0 && <p className="text-sm text-ink-soft">All done.</p>}
          <ul className="space-y-2.5">
            {active.map((task) => (
              <li key={task.id}>
                <RunningTask task={task} />
              </li>
            ))}
          </ul>
          {finished.length > 0 && (
            <>
              <h3 className="mt-6 mb-2 text-xs font-medium text-ink-faint">Recent</h3>
              <ul className="space-y-1">
                {finished.map((task) => (
                  <li key={task.id}>
                    <FinishedTask task={task} />
                  </li>
                ))}
              </ul>
            </>
          )}
        </>
      )}
    </section>
  );
}
