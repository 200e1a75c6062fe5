import { useEffect } from 'react';

import { useLiveState } from '@/lib/live/LiveContext';

/** Shows in the browser's tab how much is unread. */
export function useTitle(): void {
  const unread = useLiveState(({ channels }) =>
    channels.reduce((sum, channel) => sum + channel.unread, 0),
  );
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) GrowQR` : 'GrowQR';
    return () => {
      document.title = 'GrowQR';
    };
  }, [unread]);
}
