import { useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';

/**
 * Brings the focus to where a person goes on, after a change of page and after logging in: to
 * what the page marks with `data-first-focus`, else to its begin.
 */
export function useFocusAfterNavigation(): void {
  const router = useRouter();
  useEffect(() => {
    // Nobody has touched a page that was only opened: its first key begins at its top.
    const { userActivation } = navigator as Partial<Navigator>;
    if (userActivation?.hasBeenActive === true) focusFirst();
    return router.subscribe('onRendered', ({ fromLocation, pathChanged }) => {
      if (fromLocation !== undefined && pathChanged) focusFirst();
    });
  }, [router]);
}

/** A touch screen's keyboard would cover what one came for. */
function focusFirst(): void {
  const main = document.querySelector<HTMLElement>('#main');
  const first = main?.querySelector<HTMLElement>('[data-first-focus]');
  if (window.matchMedia('(pointer: fine)').matches) first?.focus({ preventScroll: true });
  if (first == null || document.activeElement !== first) main?.focus();
}
