import { useQuery } from '@tanstack/react-query';
import { Play, ScrollText, Square } from 'lucide-react';
import { useState } from 'react';

import { useApi } from '@/api/ApiContext';
import { describe, needsPlan } from '@/api/problem';
import type { Workspace } from '@/api/types';
import { IconButton } from '@/components/ui/IconButton';
import { PlanLink } from '@/components/ui/PlanLink';
import { StatusDot } from '@/components/ui/StatusDot';

import { useWorkspaceCommand, workspaceQuery } from './api';
import { ServerLog } from './ServerLog';
import { isRunning, wordsFor } from './words';

/** How an agent's sandbox stands, and why; nothing for agents that have none. */
export function WorkspaceBar({ actorId }: { actorId: string }) {
  const { data: workspace } = useQuery(workspaceQuery(useApi(), actorId));
  if (workspace == null) return null;
  return <Bar actorId={actorId} workspace={workspace} />;
}

function Bar({ actorId, workspace }: { actorId: string; workspace: Workspace }) {
  const { mutate, isPending, error } = useWorkspaceCommand(actorId);
  const [showsLog, setShowsLog] = useState(false);
  const { id, status, reason } = workspace;
  const running = isRunning(status);
  return (
    <section
      aria-label="Workspace"
      className="flex flex-wrap items-center gap-x-2.5 gap-y-1 border-b border-line bg-rail px-4 py-1 text-[13px] md:px-6"
    >
      <StatusDot status={status} />
      <p role="status" className="min-w-0 flex-1">
        <span className="font-medium">{wordsFor(status)}</span>
        {reason != null && <span className="text-ink-soft">: {reason}</span>}
      </p>
      <div className="flex">
        <IconButton icon={ScrollText} label="Server log" onClick={() => setShowsLog(true)} />
        <IconButton
          icon={running ? Square : Play}
          label={running ? 'Stop workspace' : 'Start workspace'}
          disabled={isPending}
          onClick={() => mutate({ id, command: running ? 'stop' : 'start' })}
        />
      </div>
      {error !== null && (
        <p role="alert" className="w-full text-danger">
          {describe(error)} {needsPlan(error) && <PlanLink />}
        </p>
      )}
      {showsLog && <ServerLog workspaceId={id} onClose={() => setShowsLog(false)} />}
    </section>
  );
}
