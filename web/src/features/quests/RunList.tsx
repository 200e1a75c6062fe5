import type { Quest, QuestRun } from '@/api/types';
import { Section } from '@/components/ui/Section';

import { RunCard } from './RunCard';

interface Props {
  title: string;
  runs: readonly QuestRun[];
  quests: readonly Quest[];
}

/** Runs under a heading; nothing where there are none. */
export function RunList({ title, runs, quests }: Props) {
  if (runs.length === 0) return null;
  const titleOf = (key: string): string => quests.find((quest) => quest.key === key)?.title ?? key;
  return (
    <Section title={title}>
      <ul className="space-y-3">
        {runs.map((run) => (
          <li key={run.id}>
            <RunCard run={run} title={titleOf(run.quest_key)} />
          </li>
        ))}
      </ul>
    </Section>
  );
}
