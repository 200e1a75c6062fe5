import { useEffect } from 'react';

/** What stands in the browser's tab, of which there is one. */
const shown = { unread: 0, page: '' };

function show(part: Partial<typeof shown>): void {
  const { unread, page } = Object.assign(shown, part);
  const name = page === '' ? 'GrowQR' : `${page} · GrowQR`;
  document.title = unread > 0 ? `(${unread}) ${name}` : name;
}

/** Names the page in the browser's tab and history for as long as it is on screen. */
export function usePageTitle(page: string): void {
  useEffect(() => {
    show({ page });
    return () => show({ page: '' });
  }, [page]);
}

/** Shows in the browser's tab how much is unread. */
export function useUnreadTitle(unread: number): void {
  useEffect(() => {
    show({ unread });
    return () => show({ unread: 0 });
  }, [unread]);
}
