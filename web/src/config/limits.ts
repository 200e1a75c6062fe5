/** The server's limits where it does not tell them, or has not yet. */
export const limits = {
  messageChars: 32_000,
  passwordChars: 10,
} as const;
