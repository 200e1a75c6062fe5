/** A day where the reader is, as `2026-01-31`. */
export function dayOf(moment: Date): string {
  const parts = [moment.getMonth() + 1, moment.getDate()].map((part) => String(part).padStart(2, '0'));
  return [moment.getFullYear(), ...parts].join('-');
}

/** When such a day ends there, in the form that the server reads; it would take its own day's end. */
export function endOf(day: string): string {
  return new Date(`${day}T23:59:59.999`).toISOString();
}
