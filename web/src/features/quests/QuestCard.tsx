import { Footprints } from 'lucide-react';
import { useId } from 'react';

import type { Quest } from '@/api/types';
import { Button } from '@/components/ui/Button';

interface Props {
  quest: Quest;
  busy: boolean;
  onStart: () => void;
}

export function QuestCard({ quest, busy, onStart }: Props) {
  const titleId = useId();
  return (
    <article
      aria-labelledby={titleId}
      className="flex flex-col rounded-2xl border border-line bg-surface p-5 transition-shadow hover:shadow-float"
    >
      <h2 id={titleId} className="text-base font-semibold">
        {quest.title}
      </h2>
      <p className="mt-1.5 flex-1 text-sm text-ink-soft">{quest.description}</p>
      <details className="group mt-4 text-[13px] text-ink-soft">
        <summary className="inline-flex list-none items-center gap-1.5 rounded-md hover:text-ink">
          <Footprints aria-hidden size={14} /> {quest.steps.length} steps
        </summary>
        <ol className="mt-2 list-decimal space-y-1 pl-5">
          {quest.steps.map(({ title }, index) => (
            <li key={index}>{title}</li>
          ))}
        </ol>
      </details>
      <Button variant="primary" className="mt-4 self-start" busy={busy} onClick={onStart}>
        Start
      </Button>
    </article>
  );
}
