/** How an author or a channel's agent is called on screen: agents' names are lower case. */
export function nameOf(author: string): string {
  if (author === '') return 'Unknown';
  return author.charAt(0).toUpperCase() + author.slice(1);
}
