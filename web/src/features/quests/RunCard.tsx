import { Link } from '@tanstack/react-router';

import type { QuestRun } from '@/api/types';
import { Badge, type BadgeTone } from '@/components/ui/Badge';
import { paths } from '@/config/paths';

import { StepMark } from './StepMark';

const TONES: Record<string, BadgeTone> = {
  running: 'info',
  waiting: 'warning',
  completed: 'accent',
  failed: 'danger',
};

const WORDS: Record<string, string> = { waiting: 'waits for you' };

/** One run of a quest, step by step. */
export function RunCard({ run, title }: { run: QuestRun; title: string }) {
  return (
    <section aria-label={`Run of ${title}`} className="rounded-2xl border border-line p-4">
      <div className="flex flex-wrap items-center gap-2">
        <h3 className="text-sm font-semibold">{title}</h3>
        <Badge tone={TONES[run.status] ?? 'neutral'}>{WORDS[run.status] ?? run.status}</Badge>
        <Link
          to={paths.channel}
          params={{ name: 'quest' }}
          className="ml-auto text-[13px] font-medium text-accent-strong hover:underline"
        >
          Open #quest
        </Link>
      </div>
      <ol className="mt-3 flex flex-wrap gap-x-4 gap-y-2">
        {run.steps.map((step, index) => (
          <li key={index} className="flex items-center gap-1.5 text-[13px] text-ink-soft">
            <StepMark status={step.status} />
            {step.title}
          </li>
        ))}
      </ol>
    </section>
  );
}
