import { Menu } from 'lucide-react';

import { cx } from '@/components/ui/cx';
import { IconButton } from '@/components/ui/IconButton';
import { useLiveState } from '@/lib/live/LiveContext';
import { unreadOf } from '@/lib/live/selectors';

/** Opens the menu of a small screen, and says what is to be found there. */
export function MenuButton({ onClick }: { onClick: () => void }) {
  const waits = useLiveState(({ tasks }) =>
    Object.values(tasks).some(({ status }) => status === 'waiting'),
  );
  const unread = useLiveState(unreadOf) > 0;
  const news = waits ? ', an agent waits for you' : unread ? ', new messages' : '';
  return (
    <div className="absolute top-3.5 left-3 z-10 md:hidden">
      <IconButton icon={Menu} label={`Open menu${news}`} size={20} className="size-9" onClick={onClick} />
      {news !== '' && (
        <span
          aria-hidden
          className={cx(
            'pointer-events-none absolute top-1 right-1 size-2.5 rounded-full border-2 border-canvas',
            waits ? 'bg-warning' : 'bg-accent',
          )}
        />
      )}
    </div>
  );
}
