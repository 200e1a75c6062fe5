/** The id that the card of an open question has in the page. */
export function questionAnchor(id: string): string {
  return `question-${id}`;
}

/**
 * Brings an open question into view, and the focus to it unless somebody is writing: one key
 * before its first option, so that no key pressed too early answers it. False: it is not on screen.
 */
export function showQuestion(id: string): boolean {
  const card = document.getElementById(questionAnchor(id));
  card?.scrollIntoView({ block: 'center' });
  const { activeElement: active } = document;
  const writes = active instanceof HTMLTextAreaElement && active.value !== '';
  if (!writes) card?.focus({ preventScroll: true });
  return card !== null;
}
