import { useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';

import { useApi } from '@/api/ApiContext';

/**
 * Brings the focus to where a person goes on, after a change of page and after logging in: to
 * what the page marks with `data-first-focus`, else to its begin.
 */
export function useFocusAfterNavigation(): void {
  const router = useRouter();
  const { session } = useApi();
  useEffect(() => {
    if (session.startedHere) focusFirst(); // in a page that was only opened, keys begin at its top
    return router.subscribe('onRendered', ({ fromLocation, pathChanged }) => {
      if (fromLocation !== undefined && pathChanged) focusFirst();
    });
  }, [router, session]);
}

/** A touch screen's keyboard would cover what one came for. */
function focusFirst(): void {
  const main = document.querySelector<HTMLElement>('#main');
  const first = main?.querySelector<HTMLElement>('[data-first-focus]');
  if (window.matchMedia('(pointer: fine)').matches) first?.focus({ preventScroll: true });
  if (first == null || document.activeElement !== first) main?.focus();
}
