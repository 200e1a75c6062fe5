/** The id that the card of an open question has in the page. */
export function questionAnchor(id: string): string {
  return `question-${id}`;
}

type Seeker = (id: string) => void;
const seekers = new Set<Seeker>();

/** Calls `seeker` with each question that is asked for and not drawn; returns how to stop that. */
export function onMissingQuestion(seeker: Seeker): () => void {
  seekers.add(seeker);
  return () => void seekers.delete(seeker);
}

/**
 * Brings an open question into view, and the focus to it unless somebody is writing: one key
 * before its first option, so that no key pressed too early answers it. One that its channel does
 * not draw now is drawn first. False: it is not on screen.
 */
export function showQuestion(id: string): boolean {
  if (document.getElementById(questionAnchor(id)) === null) {
    for (const seek of seekers) seek(id);
  }
  const card = document.getElementById(questionAnchor(id));
  card?.scrollIntoView({ block: 'center' });
  const { activeElement: active } = document;
  const writes = active instanceof HTMLTextAreaElement && active.value !== '';
  if (!writes) card?.focus({ preventScroll: true });
  return card !== null;
}
