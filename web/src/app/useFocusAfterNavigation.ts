import { useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';

/**
 * Brings the focus to where a person goes on after a change of page: to what the page marks with
 * `data-first-focus`, else to its begin. A touch screen's keyboard would cover what one came for.
 */
export function useFocusAfterNavigation(): void {
  const router = useRouter();
  useEffect(
    () =>
      router.subscribe('onRendered', ({ fromLocation, pathChanged }) => {
        if (fromLocation === undefined || !pathChanged) return;
        const main = document.querySelector<HTMLElement>('#main');
        const first = main?.querySelector<HTMLElement>('[data-first-focus]');
        if (window.matchMedia('(pointer: fine)').matches) first?.focus({ preventScroll: true });
        if (first == null || document.activeElement !== first) main?.focus();
      }),
    [router],
  );
}
