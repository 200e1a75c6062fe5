import type { KeyboardEvent } from 'react';

/** Whether a key in a field of several lines sends its text: Enter, without Shift. */
export function sends(event: KeyboardEvent): boolean {
  // Enter that ends a composition (Japanese, Chinese, …) belongs to the input method.
  return event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing;
}
