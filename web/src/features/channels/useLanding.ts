import { useLayoutEffect, useRef, type RefObject } from 'react';

import { showQuestion } from '@/lib/showQuestion';

import type { Row } from './rows';
import type { Opened } from './useOpened';

/**
 * Begins reading where it is worth to: at the question that waits, else at the first unread
 * message, once it is drawn. Without either the list stays where it is, at its end.
 *
 * `settle` is told when it did. Returns the ref for the line above the first unread message.
 */
export function useLanding(
  rows: readonly Row[],
  { question }: Opened,
  settle: () => void,
): RefObject<HTMLDivElement | null> {
  const newLine = useRef<HTMLDivElement>(null);
  const landed = useRef(false);
  useLayoutEffect(() => {
    if (landed.current || rows.length === 0) return;
    landed.current = true;
    if (question === undefined || !showQuestion(question)) {
      newLine.current?.scrollIntoView({ block: 'start' });
    }
    settle();
  }, [question, rows, settle]);
  return newLine;
}
