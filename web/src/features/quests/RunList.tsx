import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { describe } from '@/api/problem';
import type { Quest } from '@/api/types';

import { runsQuery } from './api';
import { RunCard } from './RunCard';

export function RunList({ quests }: { quests: readonly Quest[] }) {
  const api = useApi();
  const { data: runs, error } = useQuery(runsQuery(api));
  const titleOf = (key: string): string => quests.find((quest) => quest.key === key)?.title ?? key;
  return (
    <section aria-label="Your runs">
      <h2 className="mb-3 text-[15px] font-semibold">Your runs</h2>
      {error !== null && (
        <p role="alert" className="text-sm text-danger">
          {describe(error)}
        </p>
      )}
      {runs?.length === 0 && (
        <p className="rounded-2xl border border-dashed border-line px-4 py-6 text-center text-sm text-ink-soft">
          No run yet. Start one above; it asks its questions in #quest.
        </p>
      )}
      <ul className="space-y-3">
        {runs?.map((run) => (
          <li key={run.id}>
            <RunCard run={run} title={titleOf(run.quest_key)} />
          </li>
        ))}
      </ul>
    </section>
  );
}
