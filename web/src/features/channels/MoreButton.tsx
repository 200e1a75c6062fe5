import { useEffectEvent, useLayoutEffect, useRef, type ReactNode } from 'react';

import { Button } from '@/components/ui/Button';

interface Props {
  busy?: boolean;
  onClick: () => void;
  /** It is taken away while it has the focus. */
  onGone: () => void;
  children: ReactNode;
}

/** Shows more of a channel, before or behind what is drawn. */
export function MoreButton({ busy = false, onClick, onGone, children }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const gone = useEffectEvent(onGone);
  useLayoutEffect(() => {
    const here = place.current;
    return () => {
      if (here?.contains(document.activeElement)) gone();
    };
  }, []);
  return (
    // At the end it leaves room for the way to the latest, which floats there.
    <div ref={place} className="flex justify-center py-4 first:pt-0 last:pb-12">
      <Button size="small" busy={busy} onClick={onClick}>
        {children}
      </Button>
    </div>
  );
}
