import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { ErrorState } from '@/components/ui/ErrorState';
import { Modal } from '@/components/ui/Modal';
import { Skeleton } from '@/components/ui/Skeleton';

import { serverLogQuery } from './api';

/** What the OpenCode server wrote: for the day on which something does not work. */
export function ServerLog({ workspaceId, onClose }: { workspaceId: string; onClose: () => void }) {
  const log = useQuery({ ...serverLogQuery(useApi(), workspaceId), staleTime: 0 });
  return (
    <Modal
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title="Server log"
      description="What the coding server and the platform wrote about this workspace lately."
      wide
    >
      <div className="p-5">
        {log.isPending && <Skeleton lines={4} label="Loading log" />}
        {log.error !== null && <ErrorState error={log.error} retry={() => void log.refetch()} />}
        {log.data?.length === 0 && <p className="text-sm text-ink-soft">Nothing was written yet.</p>}
        {log.data !== undefined && log.data.length > 0 && (
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrolls, so keys must reach it
          <ol tabIndex={0} className="max-h-[50vh] overflow-y-auto font-mono text-[12.5px] leading-relaxed">
            {log.data.map(({ seq, stream, text }) => (
              <li key={seq} className="grid grid-cols-[4.5rem_minmax(0,1fr)] gap-3">
                <span className="truncate text-ink-faint">{stream}</span>
                <span className="whitespace-pre-wrap">{text}</span>
              </li>
            ))}
          </ol>
        )}
      </div>
    </Modal>
  );
}
