import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

/** This near to the end counts as being there, in pixels. */
const NEAR = 80;

/**
 * Keeps a scrolling box at its end while the reader is there, and leaves it alone otherwise.
 *
 * Returns refs for the box and for its content, and whether the end is in view; `toEnd` goes
 * there, and `settle` says that the box was scrolled to where its reader begins.
 */
export function useStickToBottom() {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const [atEnd, setAtEnd] = useState(true);

  const settle = useCallback((): void => {
    sticks.current = box.current === null || isNearEnd(box.current);
    setAtEnd(sticks.current);
  }, []);

  const toEnd = useCallback((): void => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
    settle();
  }, [settle]);

  useLayoutEffect(() => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, []);

  useEffect(() => {
    const [outer, inner] = [box.current, content.current];
    if (outer === null || inner === null) return;
    let top = outer.scrollTop;
    const onScroll = (): void => {
      const near = isNearEnd(outer);
      // Only a reader moves up. Anything else is a box or content that has just changed its size.
      if (near || outer.scrollTop < top) sticks.current = near;
      top = outer.scrollTop;
      setAtEnd(sticks.current);
    };
    const observer = new ResizeObserver(() => {
      if (sticks.current) outer.scrollTop = outer.scrollHeight;
    });
    observer.observe(inner);
    observer.observe(outer);
    outer.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      observer.disconnect();
      outer.removeEventListener('scroll', onScroll);
    };
  }, []);

  return { box, content, atEnd, toEnd, settle };
}

function isNearEnd({ scrollHeight, scrollTop, clientHeight }: HTMLElement): boolean {
  return scrollHeight - scrollTop - clientHeight < NEAR;
}
