import { ListChecks } from 'lucide-react';
import { useState } from 'react';

import { IconButton } from '@/components/ui/IconButton';
import { ChannelPage } from '@/features/channels/ChannelPage';
import { TaskPanel } from '@/features/tasks/TaskPanel';
import { WorkspaceBar } from '@/features/workspace/WorkspaceBar';

import { Drawer } from './Drawer';
import { useMediaQuery } from './useMediaQuery';

/** A channel with the tasks beside it, or a tap away where there is no room. */
export function ChannelScreen({ name }: { name: string }) {
  const wide = useMediaQuery('(min-width: 70rem)');
  const [tasksOpen, setTasksOpen] = useState(false);
  if (wide && tasksOpen) setTasksOpen(false); // else it would be back when the window is small again
  return (
    <div className="flex h-full min-h-0">
      <div className="min-w-0 flex-1">
        <ChannelPage
          name={name}
          status={({ kind, actor_id: actorId }) =>
            kind === 'agent' && <WorkspaceBar actorId={actorId} />
          }
          actions={
            wide ? undefined : (
              <IconButton icon={ListChecks} label="Show tasks" onClick={() => setTasksOpen(true)} />
            )
          }
        />
      </div>
      {wide ? (
        <aside className="w-80 shrink-0 border-l border-line">
          <TaskPanel />
        </aside>
      ) : (
        <Drawer open={tasksOpen} onOpenChange={setTasksOpen} title="Task list" side="right">
          <TaskPanel />
        </Drawer>
      )}
    </div>
  );
}
