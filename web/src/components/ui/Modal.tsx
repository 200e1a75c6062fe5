import { Dialog } from 'radix-ui';
import { useState, type ReactNode } from 'react';

import { cx } from './cx';

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  /** Read aloud with the title. */
  description: ReactNode;
  /** False: title and description are there for screen readers only. */
  showTitle?: boolean;
  /** For text that needs more room than a question. */
  wide?: boolean;
  /** False: what closes it moves the focus itself. */
  returnsFocus?: () => boolean;
  children?: ReactNode;
}

/** A dialog; whoever shows it mounts it, so that the focus can go back to where it came from. */
export function Modal({
  open,
  onOpenChange,
  title,
  description,
  showTitle = true,
  wide = false,
  returnsFocus = () => true,
  children,
}: Props) {
  const [opener] = useState(() => document.activeElement);
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 animate-fade bg-ink/30 backdrop-blur-[2px] dark:bg-rail/70" />
        <Dialog.Content
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (returnsFocus() && opener instanceof HTMLElement) opener.focus();
          }}
          className={cx(
            'fixed inset-x-4 top-[12vh] z-50 mx-auto max-h-[80vh] animate-rise overflow-y-auto rounded-2xl',
            'border border-line bg-surface shadow-float focus:outline-none',
            wide ? 'max-w-3xl' : 'max-w-md',
          )}
        >
          <div className={showTitle ? 'px-5 pt-5' : 'sr-only'}>
            <Dialog.Title className="text-base font-semibold">{title}</Dialog.Title>
            <Dialog.Description className="mt-1.5 text-sm text-ink-soft">
              {description}
            </Dialog.Description>
          </div>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
