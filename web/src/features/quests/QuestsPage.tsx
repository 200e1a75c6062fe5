import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Map } from 'lucide-react';

import { useApi } from '@/api/ApiContext';
import type { QuestRun } from '@/api/types';
import { EmptyState } from '@/components/ui/EmptyState';
import { ErrorState } from '@/components/ui/ErrorState';
import { Failure } from '@/components/ui/Failure';
import { PageHeader } from '@/components/ui/PageHeader';
import { Skeleton } from '@/components/ui/Skeleton';
import { paths } from '@/config/paths';

import { questsQuery, runsQuery, useStartQuest } from './api';
import { QuestCard } from './QuestCard';
import { RunList } from './RunList';

const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);
const hasEnded = ({ status }: QuestRun): boolean => ENDED.has(status);

/** How far the runs under way are, the quests that can be started, and the runs that have ended. */
export function QuestsPage() {
  const api = useApi();
  const navigate = useNavigate();
  const quests = useQuery(questsQuery(api));
  const { data: runs = [], error: runsError } = useQuery(runsQuery(api));
  const start = useStartQuest();

  const launch = (key: string): void =>
    start.mutate(key, {
      onSuccess: () => void navigate({ to: paths.channel, params: { name: 'quest' } }),
    });

  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader title="Quests" subtitle="Guided paths: you answer, your agents do the work" />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-4xl space-y-6 px-4 py-6 md:px-6">
          {start.error !== null && <Failure error={start.error} />}
          {runsError !== null && <Failure error={runsError} />}
          <RunList
            title="Under way"
            runs={runs.filter((run) => !hasEnded(run))}
            quests={quests.data ?? []}
          />
          {quests.isPending && <Skeleton lines={6} label="Loading quests" />}
          {quests.error !== null && (
            <ErrorState error={quests.error} retry={() => void quests.refetch()} />
          )}
          {quests.data?.length === 0 && (
            <EmptyState icon={Map} title="No quests here">
              This server brings none along.
            </EmptyState>
          )}
          {quests.data !== undefined && (
            <div className="grid gap-4 sm:grid-cols-2">
              {quests.data.map((quest) => (
                <QuestCard
                  key={quest.key}
                  quest={quest}
                  busy={start.isPending && start.variables === quest.key}
                  onStart={() => launch(quest.key)}
                />
              ))}
            </div>
          )}
          <RunList title="Ended" runs={runs.filter(hasEnded)} quests={quests.data ?? []} />
        </div>
      </div>
    </div>
  );
}
