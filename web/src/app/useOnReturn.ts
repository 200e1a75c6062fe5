import { useContext, useEffect, useEffectEvent, useRef } from 'react';

import { LiveContext } from '@/lib/live/LiveContext';

/** Does something each time that the server is back after it was away. */
export function useOnReturn(what: () => void): void {
  const kind = useContext(LiveContext)?.connection.kind;
  const away = useRef(false);
  const onReturn = useEffectEvent(what);
  useEffect(() => {
    if (kind === 'live' && away.current) onReturn();
    away.current = kind === 'reconnecting';
  }, [kind]);
}
