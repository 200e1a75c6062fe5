import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

/** This near to the end counts as being there, in pixels. */
const NEAR = 80;

/** Something in view, and how far below the upper edge of its box it stands, in pixels. */
interface Mark {
  element: Element;
  top: number;
}

/**
 * Keeps a scrolling box at its end while the reader is there, and otherwise what the reader sees
 * where it is, whatever comes or goes above and below.
 *
 * `drawn` names what is drawn: it changes when rows are added or dropped on demand. `goesOn` tells
 * that more is to come behind the last row, so that its end is not where the newest is.
 *
 * Returns refs for the box, its content, and the rows in it; whether the end is in view; `toEnd`,
 * which goes there, and `settle`, which says that the box was scrolled to where its reader begins.
 */
export function useStickToBottom(drawn?: string, goesOn = false) {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const rows = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const marks = useRef<readonly Mark[]>([]);
  const [nearEnd, setNearEnd] = useState(true);

  const look = useCallback((): void => {
    if (box.current === null) return;
    marks.current = marksIn(box.current, rows.current ?? content.current);
    setNearEnd(isNearEnd(box.current));
  }, []);

  /** Puts the box where it was for its reader before the content changed. */
  const hold = useCallback((): void => {
    if (box.current === null) return;
    if (sticks.current) box.current.scrollTop = box.current.scrollHeight;
    else restore(box.current, marks.current);
    look();
  }, [look]);

  const settle = useCallback((): void => {
    if (box.current === null) return;
    sticks.current = isNearEnd(box.current) && !goesOn;
    look();
  }, [goesOn, look]);

  const toEnd = useCallback((): void => {
    sticks.current = true;
    hold();
  }, [hold]);

  useLayoutEffect(hold, [drawn, hold]);

  useEffect(() => {
    const [outer, inner] = [box.current, content.current];
    if (outer === null || inner === null) return;
    let { scrollTop: top, clientWidth: width, clientHeight: height } = outer;
    const onScroll = (): void => {
      // Not by the reader: the observer below is about to see the box's new size.
      if (outer.clientWidth !== width || outer.clientHeight !== height) return;
      const near = isNearEnd(outer);
      // Only a reader moves up. Anything else is content that has just grown.
      if (near || outer.scrollTop < top) sticks.current = near && !goesOn;
      top = outer.scrollTop;
      look();
    };
    const observer = new ResizeObserver(() => {
      hold();
      ({ scrollTop: top, clientWidth: width, clientHeight: height } = outer);
    });
    observer.observe(inner);
    observer.observe(outer);
    outer.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      observer.disconnect();
      outer.removeEventListener('scroll', onScroll);
    };
  }, [goesOn, hold, look]);

  return { box, content, rows, atEnd: nearEnd && !goesOn, toEnd, settle };
}

function marksIn(box: Element, rows: Element | null): Mark[] {
  const { top: upper, bottom: lower } = box.getBoundingClientRect();
  const marks: Mark[] = [];
  for (const element of rows?.children ?? []) {
    const { top, bottom } = element.getBoundingClientRect();
    if (top >= lower) break;
    if (bottom > upper) marks.push({ element, top: top - upper });
  }
  return marks;
}

/** Scrolls so that the first thing that was in view, and still is there, stands where it stood. */
function restore(box: Element, marks: readonly Mark[]): void {
  const mark = marks.find(({ element }) => element.isConnected);
  if (mark === undefined) return;
  const now = mark.element.getBoundingClientRect().top - box.getBoundingClientRect().top;
  box.scrollTop += now - mark.top;
}

function isNearEnd({ scrollHeight, scrollTop, clientHeight }: Element): boolean {
  return scrollHeight - scrollTop - clientHeight < NEAR;
}
