let code: string | undefined;

/** Takes the code of a link that signs in once out of the address. */
export function takeSignInCode(): void {
  const found = /^#code=([\w-]+)$/.exec(location.hash)?.[1];
  if (found === undefined) return;
  code = found;
  history.replaceState(history.state, '', `${location.pathname}${location.search}`);
}

/** The code that was taken, once. */
export function givenSignInCode(): string | undefined {
  const given = code;
  code = undefined;
  return given;
}
