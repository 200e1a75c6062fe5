import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

/** This near to the end counts as being there, in pixels. */
const NEAR = 80;

/**
 * Keeps a scrolling box at its end while the reader is there, and otherwise what the reader sees
 * where it is, also when more comes before `first`, the key of what stands at the top.
 *
 * Returns refs for the box and for its content, and whether the end is in view; `toEnd` goes
 * there, and `settle` says that the box was scrolled to where its reader begins.
 */
export function useStickToBottom(first?: string) {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const fromEnd = useRef(0);
  const [atEnd, setAtEnd] = useState(true);

  const settle = useCallback((): void => {
    if (box.current === null) return;
    sticks.current = isNearEnd(box.current);
    fromEnd.current = distanceToEnd(box.current);
    setAtEnd(sticks.current);
  }, []);

  const toEnd = useCallback((): void => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
    settle();
  }, [settle]);

  useLayoutEffect(() => {
    const outer = box.current;
    if (outer !== null) outer.scrollTop = outer.scrollHeight - (sticks.current ? 0 : fromEnd.current);
  }, [first]);

  useEffect(() => {
    const [outer, inner] = [box.current, content.current];
    if (outer === null || inner === null) return;
    let { scrollTop: top, clientWidth: width, clientHeight: height } = outer;
    const onScroll = (): void => {
      // Not by the reader: the observer below is about to see the box's new size.
      if (outer.clientWidth !== width || outer.clientHeight !== height) return;
      const near = isNearEnd(outer);
      // Only a reader moves up. Anything else is content that has just grown.
      if (near || outer.scrollTop < top) sticks.current = near;
      top = outer.scrollTop;
      fromEnd.current = distanceToEnd(outer);
      setAtEnd(sticks.current);
    };
    const observer = new ResizeObserver(() => {
      if (sticks.current) outer.scrollTop = outer.scrollHeight;
      fromEnd.current = distanceToEnd(outer);
      ({ scrollTop: top, clientWidth: width, clientHeight: height } = outer);
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

/** From the upper edge of what is seen to the end of the content. */
function distanceToEnd({ scrollHeight, scrollTop }: HTMLElement): number {
  return scrollHeight - scrollTop;
}

function isNearEnd(box: HTMLElement): boolean {
  return distanceToEnd(box) - box.clientHeight < NEAR;
}
