import { useRouter } from '@tanstack/react-router';
import { Dialog } from 'radix-ui';
import { useEffect, type ReactNode } from 'react';

import { cx } from '@/components/ui/cx';

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  side: 'left' | 'right';
  children: ReactNode;
}

/**
 * A side of the page on small screens: slides over it and keeps the focus. A choice in it closes
 * it, also one that leads to where one is.
 */
export function Drawer({ open, onOpenChange, title, side, children }: Props) {
  const router = useRouter();
  useEffect(
    () => (open ? router.subscribe('onBeforeLoad', () => onOpenChange(false)) : undefined),
    [onOpenChange, open, router],
  );
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 animate-fade bg-ink/30 dark:bg-rail/70" />
        <Dialog.Content
          aria-describedby={undefined}
          className={cx(
            'fixed inset-y-0 z-50 w-72 max-w-[86vw] bg-canvas shadow-float focus:outline-none',
            side === 'left' ? 'left-0 animate-slide' : 'right-0 w-80 animate-fade',
          )}
        >
          <Dialog.Title className="sr-only">{title}</Dialog.Title>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
