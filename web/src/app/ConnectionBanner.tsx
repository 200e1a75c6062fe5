import { describe } from '@/api/problem';
import { Spinner } from '@/components/ui/Spinner';
import { useLive } from '@/lib/live/LiveContext';

/** Says when what is on screen may be out of date; nothing while all is well. */
export function ConnectionBanner() {
  const { connection } = useLive();
  if (connection.kind === 'refused') {
    return (
      <p role="alert" className="bg-danger-soft px-4 py-1.5 text-center text-[13px] text-danger">
        Live updates stopped: {describe(connection.error)} Reload the page to try again.
      </p>
    );
  }
  return (
    <div role="status">
      {connection.kind === 'reconnecting' && (
        <p className="flex animate-fade items-center justify-center gap-2 bg-warning-soft px-4 py-1.5 text-[13px] text-warning">
          <Spinner size={13} /> Reconnecting…
        </p>
      )}
    </div>
  );
}
